//! The boundary around one fact: an unforeseen panic of the engine costs the line it was about.
//! It never goes on with an engine whose invariants do not hold.

use std::backtrace::Backtrace;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::base::slab::Key;
use crate::base::stats::Counter;
use crate::base::time::Now;
use crate::engine::Engine;
use crate::port::Ended;

/// Panics of facts that belong to no line (there is nothing to close for them) before we give up: a
/// few may pass with what caused them, more would only be a busy way to stand still.
const HOMELESS_MAX: u32 = 8;
/// Backtraces in the log of one process.
const BACKTRACES_MAX: u32 = 16;

/// The engine, reached only through the boundary.
#[derive(Debug)]
pub(super) struct Guard {
    engine: Engine,
    homeless: u32,
    broken: bool,
    caught: u64,
}

impl Guard {
    /// Draws the boundary around `engine`.
    pub(super) fn new(engine: Engine) -> Guard {
        Guard {
            engine,
            homeless: 0,
            broken: false,
            caught: 0,
        }
    }

    /// The engine for questions that cannot fail.
    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Tells the engine one fact, about the line `key` if it is about one. `None` if it panicked:
    /// then the line was ended, and the invariants were swept.
    #[inline]
    pub(super) fn tell<R>(
        &mut self,
        now: Now,
        key: Option<Key>,
        fact: impl FnOnce(&mut Engine) -> R,
    ) -> Option<R> {
        let engine = &mut self.engine;
        match catch_unwind(AssertUnwindSafe(|| fact(engine))) {
            Ok(result) => Some(result),
            Err(_) => {
                self.recover(now, key);
                None
            }
        }
    }

    /// How many panics were caught.
    pub(super) fn caught(&self) -> u64 {
        self.caught
    }

    /// Whether the engine can no longer be trusted.
    pub(super) fn is_broken(&self) -> bool {
        self.broken
    }

    #[cold]
    fn recover(&mut self, now: Now, key: Option<Key>) {
        self.caught += 1;
        self.engine.stats_mut().add(Counter::PanicsCaught, 1);
        self.homeless += u32::from(key.is_none());
        let engine = &mut self.engine;
        let sound = catch_unwind(AssertUnwindSafe(|| {
            if let Some(key) = key {
                engine.ended(now, key, Ended::Broken);
            }
            engine.check();
        }));
        self.broken |= sound.is_err() || self.homeless > HOMELESS_MAX;
        log::error!(
            "bug_caught line={:?} count={} broken={}",
            format!("{key:?}"),
            self.caught,
            self.broken
        );
    }
}

/// From here on a panic is logged, wherever it is caught, and the first ones with their backtraces:
/// those are slow to make, and the hundredth tells nothing new.
pub(super) fn log_panics() {
    let left = AtomicU32::new(BACKTRACES_MAX);
    panic::set_hook(Box::new(move |panic| {
        let less = |left: u32| left.checked_sub(1);
        match left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less) {
            Ok(_) => {
                let trace = Backtrace::force_capture().to_string();
                log::error!("bug_panic what={:?} trace={trace:?}", panic.to_string());
            }
            Err(_) => log::error!("bug_panic what={:?}", panic.to_string()),
        }
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::frame::Gather;
    use crate::port::{Action, StoreDone};
    use crate::shell::tests::engine_settings;

    fn guard() -> Guard {
        Guard::new(Engine::new(engine_settings(), [7; 32], Now::default()))
    }

    #[test]
    fn a_panic_about_a_line_costs_only_that_line() {
        let (mut guard, now) = (guard(), Now::default());
        let key = Key::from_bits(1 << 32);
        for _ in 0..100 {
            assert_eq!(guard.tell(now, key, |_| -> u8 { panic!("a bug") }), None);
        }
        assert_eq!(guard.tell(now, key, |_| 5), Some(5));
        assert_eq!(guard.caught(), 100);
        let counted = guard.engine().stats().get(Counter::PanicsCaught);
        assert_eq!(counted, 100);
        assert!(!guard.is_broken());
    }

    /// Everything that a turn would write on the line.
    fn written(guard: &mut Guard, key: Key) -> String {
        let mut gather = Gather::new();
        guard.engine.outgoing(key, &mut gather);
        let bytes: Vec<u8> = gather.slices().iter().flat_map(|it| it.to_vec()).collect();
        guard.tell(Now::default(), None, |engine| {
            engine.wrote(Now::default(), key, bytes.len())
        });
        String::from_utf8_lossy(&bytes).into_owned()
    }

    #[test]
    fn a_panic_amid_a_request_leaves_other_lines_and_the_account_as_they_were() {
        let (mut guard, now) = (guard(), Now::default());
        let open = |guard: &mut Guard| {
            let peer = std::net::IpAddr::from([127, 0, 0, 1]);
            guard.engine.opened(now, peer).ok().unwrap()
        };
        let (reader, busy, victim) = (open(&mut guard), open(&mut guard), open(&mut guard));
        let hear = |guard: &mut Guard, key, text: &str| {
            let bytes = text.as_bytes();
            guard.tell(now, Some(key), |engine| engine.received(now, key, bytes))
        };
        hear(
            &mut guard,
            reader,
            "GET /stream?topic=t HTTP/1.1\r\nHost: h\r\n\r\n",
        );
        let head = "POST /dispatch?_topic=t HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n";
        for key in [busy, victim] {
            hear(&mut guard, key, &format!("{head}hello"));
        }
        for _ in 0..3 {
            let fell = guard.tell(now, Some(victim), |engine| {
                engine.received(now, victim, b"wor");
                panic!("a bug")
            });
            assert_eq!(fell, None::<()>);
        }
        assert_eq!((guard.caught(), guard.is_broken()), (3, false));
        hear(&mut guard, busy, "world");
        let handed = guard.engine.poll_action();
        let mut closed = false;
        for action in handed
            .into_iter()
            .chain(std::iter::from_fn(|| guard.engine.poll_action()))
        {
            match action {
                Action::Close { key } => closed |= key == victim,
                Action::Store(seq, _) => {
                    let done = StoreDone::Durable(seq);
                    guard.tell(now, None, |engine| engine.stored(now, done));
                    break;
                }
                _ => {}
            }
        }
        assert!(closed, "the line that it happened on is still there");
        assert!(written(&mut guard, busy).starts_with("HTTP/1.1 202 "));
        assert!(written(&mut guard, reader).starts_with("HTTP/1.1 200 "));
        guard.engine.check();
    }

    #[test]
    fn panics_that_no_line_can_be_closed_for_end_in_giving_up() {
        let (mut guard, now) = (guard(), Now::default());
        for _ in 0..HOMELESS_MAX {
            guard.tell(now, None, |_| panic!("a bug"));
        }
        assert!(!guard.is_broken());
        guard.tell(now, None, |_| panic!("a bug"));
        assert!(guard.is_broken());
    }
}
