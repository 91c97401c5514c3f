//! What the loop and the store's thread share: operations one way, completions the other, each in
//! a vector that is swapped as a whole. The loop never waits here for longer than a swap takes.

use std::fmt;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::port::{Seq, StoreDone, StoreOp};
use crate::store::Refusal;

/// How long operations that nobody waits for stay to share a sync with more of their kind.
const COMPANY: Duration = Duration::from_millis(50);

/// An operation under its number.
pub(super) type Handed = (Seq, StoreOp);

/// The counter between the two threads.
pub(super) struct Exchange {
    inbox: Mutex<Inbox>,
    bell: Condvar,
    outbox: Mutex<Outbox>,
    wake: Arc<dyn Fn() + Send + Sync>,
}

#[derive(Debug, Default)]
struct Inbox {
    ops: Vec<Handed>,
    urgent: bool,
    closing: bool,
    /// The store's thread is to look about itself.
    nudged: bool,
    sleep: Sleep,
}

/// What the store's thread waits for, so that nobody calls it for nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Sleep {
    /// It is at work.
    #[default]
    Awake,
    /// For anything.
    Idle,
    /// For something urgent; it knows of the rest.
    Company,
}

#[derive(Debug, Default)]
struct Outbox {
    done: Vec<StoreDone>,
    refusal: Option<Refusal>,
    /// The loop was woken and has not looked yet.
    woken: bool,
}

/// What the store's thread finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// There is something to do.
    Work,
    /// There is nothing to do, and the time is up, or there is news from elsewhere.
    Idle,
    /// This was all; nothing comes after it.
    Close,
}

impl Exchange {
    pub(super) fn new(wake: Arc<dyn Fn() + Send + Sync>) -> Exchange {
        Exchange {
            inbox: Mutex::default(),
            bell: Condvar::new(),
            outbox: Mutex::default(),
            wake,
        }
    }

    /// From the loop: hands over what gathered in `ops`, which comes back empty.
    pub(super) fn hand(&self, ops: &mut Vec<Handed>, urgent: bool) {
        if ops.is_empty() {
            return;
        }
        let mut inbox = lock(&self.inbox);
        if inbox.ops.is_empty() {
            mem::swap(&mut inbox.ops, ops);
        } else {
            inbox.ops.append(ops);
        }
        inbox.urgent |= urgent;
        let rings = match inbox.sleep {
            Sleep::Awake => false,
            Sleep::Idle => true,
            Sleep::Company => inbox.urgent,
        };
        drop(inbox);
        if rings {
            self.bell.notify_one();
        }
    }

    /// From the loop: nothing comes any more.
    pub(super) fn close(&self) {
        lock(&self.inbox).closing = true;
        self.bell.notify_one();
    }

    /// From a thread that works for the store's: there is news.
    pub(super) fn nudge(&self) {
        lock(&self.inbox).nudged = true;
        self.bell.notify_one();
    }

    /// From the loop: all completions so far are appended to `done`.
    pub(super) fn collect(&self, done: &mut impl Extend<StoreDone>) {
        let mut outbox = lock(&self.outbox);
        outbox.woken = false;
        done.extend(outbox.done.drain(..));
    }

    /// From the loop: why the process has to end, once.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        lock(&self.outbox).refusal.take()
    }

    /// From the store's thread: waits for news, whatever is handed over meanwhile. False if the
    /// loop has closed.
    pub(super) fn news(&self) -> bool {
        let mut inbox = lock(&self.inbox);
        while !inbox.nudged && !inbox.closing {
            inbox = self.wait(inbox, None);
        }
        inbox.nudged = false;
        !inbox.closing
    }

    /// From the store's thread: takes what there is into `ops`, which is empty. It waits for
    /// something, but not longer than until `until`; and then for company, unless it is urgent.
    pub(super) fn next(&self, ops: &mut Vec<Handed>, until: Option<Instant>) -> Call {
        let mut inbox = lock(&self.inbox);
        while inbox.ops.is_empty() && !inbox.closing {
            if mem::take(&mut inbox.nudged) {
                inbox.sleep = Sleep::Awake;
                return Call::Idle;
            }
            inbox.sleep = Sleep::Idle;
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                inbox.sleep = Sleep::Awake;
                return Call::Idle;
            }
            inbox = self.wait(inbox, left);
        }
        let gone = Instant::now() + COMPANY;
        while !inbox.urgent && !inbox.closing {
            inbox.sleep = Sleep::Company;
            let left = gone.saturating_duration_since(Instant::now());
            if left == Duration::ZERO {
                break;
            }
            inbox = self.wait(inbox, Some(left));
        }
        inbox.sleep = Sleep::Awake;
        inbox.urgent = false;
        mem::swap(&mut inbox.ops, ops);
        if inbox.closing {
            Call::Close
        } else {
            Call::Work
        }
    }

    fn wait<'a>(
        &self,
        inbox: MutexGuard<'a, Inbox>,
        left: Option<Duration>,
    ) -> MutexGuard<'a, Inbox> {
        match left {
            Some(left) => {
                let waited = self.bell.wait_timeout(inbox, left);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
            None => {
                let waited = self.bell.wait(inbox);
                waited.unwrap_or_else(PoisonError::into_inner)
            }
        }
    }

    /// From any thread: tells the loop.
    pub(super) fn tell(&self, done: impl IntoIterator<Item = StoreDone>) {
        self.put(|outbox| outbox.done.extend(done));
    }

    /// From the store's thread: the process has to end.
    pub(super) fn refuse(&self, refusal: Refusal) {
        self.put(|outbox| outbox.refusal = Some(refusal));
    }

    /// At most one call of the loop is pending.
    fn put(&self, put: impl FnOnce(&mut Outbox)) {
        let mut outbox = lock(&self.outbox);
        put(&mut outbox);
        let was_woken = mem::replace(&mut outbox.woken, true);
        drop(outbox);
        if !was_woken {
            (self.wake)();
        }
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Exchange").finish_non_exhaustive()
    }
}

/// Whoever panicked with the lock left plain vectors behind, which are whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::thread;

    use crate::model::MessageId;

    fn lazy(seq: Seq) -> Handed {
        let op = StoreOp::Rest {
            id: MessageId(0),
            number: 1,
            attempt: 1,
            body: Box::default(),
            truncated: false,
        };
        assert!(!op.is_urgent());
        (seq, op)
    }

    fn exchange() -> (Arc<Exchange>, Arc<AtomicU32>) {
        let count = Arc::new(AtomicU32::new(0));
        let wakes = Arc::clone(&count);
        let wake = move || {
            wakes.fetch_add(1, Ordering::SeqCst);
        };
        (Arc::new(Exchange::new(Arc::new(wake))), count)
    }

    #[test]
    fn the_loop_is_woken_once_until_it_looks() {
        let (exchange, wakes) = exchange();
        for seq in 1..4 {
            exchange.tell([StoreDone::Durable(seq)]);
        }
        assert_eq!(wakes.load(Ordering::SeqCst), 1);
        let mut done = Vec::new();
        exchange.collect(&mut done);
        assert_eq!(done.len(), 3);
        exchange.tell([StoreDone::Ready]);
        assert_eq!(wakes.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn what_is_urgent_brings_along_what_waits_for_company() {
        let (exchange, _) = exchange();
        exchange.hand(&mut vec![lazy(1)], false);
        let other = Arc::clone(&exchange);
        let taker = thread::spawn(move || {
            let mut ops = Vec::new();
            let call = other.next(&mut ops, None);
            (call, ops.len())
        });
        exchange.hand(&mut vec![lazy(2)], true);
        let (call, count) = taker.join().unwrap();
        assert_eq!(call, Call::Work);
        // The second came in time, or the first had had its fifty milliseconds.
        assert!(count == 1 || count == 2);
        let mut ops = Vec::new();
        if count == 1 {
            assert_eq!(exchange.next(&mut ops, None), Call::Work);
        }
        let now = Instant::now();
        ops.clear();
        assert_eq!(exchange.next(&mut ops, Some(now)), Call::Idle);
    }

    #[test]
    fn news_wakes_the_thread_once_and_never_before_work() {
        let (exchange, _) = exchange();
        exchange.nudge();
        let mut ops = Vec::new();
        assert_eq!(exchange.next(&mut ops, None), Call::Idle);
        exchange.nudge();
        exchange.hand(&mut vec![lazy(1)], true);
        assert_eq!(exchange.next(&mut ops, None), Call::Work);
        assert_eq!(exchange.next(&mut ops, None), Call::Idle);
        assert_eq!(exchange.next(&mut ops, Some(Instant::now())), Call::Idle);
    }

    #[test]
    fn the_last_call_comes_with_all_that_is_left() {
        let (exchange, _) = exchange();
        exchange.hand(&mut vec![lazy(1), lazy(2)], false);
        exchange.hand(&mut vec![lazy(3)], false);
        exchange.close();
        let mut ops = Vec::new();
        assert_eq!(exchange.next(&mut ops, None), Call::Close);
        let numbers: Vec<Seq> = ops.iter().map(|(seq, _)| *seq).collect();
        assert_eq!(numbers, [1, 2, 3]);
    }
}
