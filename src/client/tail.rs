//! `hookah tail`: what is published to topics, a line each, as it comes. It comes back after a
//! break where it was, says what is missing, and ends quietly when nobody reads it any more.

use std::convert::Infallible;
use std::fmt;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use super::answer::{Head, Incoming};
use super::call::{Answer, Caller, Patience, Request, Trouble, idle, is_passing};
use super::cut::Cutter;
use super::feed::{End, Event};
use super::line::Limit;
use super::send::{checked, write_out};
use super::{Failure, RETRY_FOR};
use crate::base::exit::Exit;
use crate::shell;

/// The server says something at least so often, in seconds.
const KEEP_ALIVE_SECONDS: u64 = 15;
/// After so long without a byte the line is dead.
const SILENCE_MAX: Duration = Duration::from_secs(3 * KEEP_ALIVE_SECONDS);
/// A line at most: far more than a server takes for a body.
const LINE_BYTES_MAX: usize = 64 << 20;
/// A stream that has lived so long works, even if nothing was published.
const PROVEN: Duration = Duration::from_secs(5);
/// Before every id that a server gives.
const LEAST_ID: &str = "msg_00000000000000000000000000";

/// What to read, and how to print it.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// The query that chooses what is read: `topic=…&prefix=…`, and `where.…`.
    pub choice: String,
    /// The query that says where to begin; empty for what comes from now on.
    pub begin: String,
    /// How messages are printed.
    pub shown: Shown,
    /// To end after so many messages.
    pub limit: Option<u64>,
}

/// How messages are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shown {
    /// The body as it was published, and a line end.
    #[default]
    Raw,
    /// A line of JSON with the id, the time, the topic and the body.
    Json,
}

/// How far it is.
struct Tail<'a> {
    wish: &'a Wish,
    /// The last message that was printed, or else the newest when the first stream began.
    last: Option<String>,
    /// A stream has begun since the last try that failed.
    begun: Option<Instant>,
    /// And a message has come on it.
    fed: bool,
    left: Option<u64>,
    out: Vec<u8>,
}

/// Why a stream is no more.
enum Over {
    /// Everything is done, or nobody reads it.
    Done,
    /// It is worth to come again, but not before that time.
    Again(Failure, Option<Duration>),
    /// It is not.
    Failed(Failure),
}

impl From<Trouble> for Over {
    fn from(trouble: Trouble) -> Over {
        match trouble {
            Trouble::Protocol(_) => Over::Failed(trouble.into()),
            _ => Over::Again(trouble.into(), None),
        }
    }
}

/// Prints until it is told to end.
pub(super) fn run(wish: &Wish, mut caller: Caller) -> Result<(), Failure> {
    let mut tail = Tail {
        wish,
        last: None,
        begun: None,
        fed: false,
        left: wish.limit,
        out: Vec::new(),
    };
    let mut patience = Patience::new(Some(caller.said_retry_for().unwrap_or(RETRY_FOR)));
    loop {
        let over = match tail.stream(&mut caller) {
            Ok(never) => match never {},
            Err(over) => over,
        };
        match over {
            Over::Done => return Ok(()),
            Over::Failed(failure) => return Err(failure),
            Over::Again(failure, at_least) => {
                let begun = tail.begun.take();
                if let Some(begun) = begun {
                    // It has worked, and goes on for as long as it takes.
                    let well = std::mem::take(&mut tail.fed) || begun.elapsed() >= PROVEN;
                    patience.renew(caller.said_retry_for(), well);
                }
                let Some(wait) = patience.next(&mut caller.rng, at_least) else {
                    return Err(failure);
                };
                if begun.is_some() || at_least.is_some() {
                    let seconds = wait.as_secs_f32();
                    let text = &failure.text;
                    notice(format_args!("{text}; trying again in {seconds:.1} s"));
                }
                idle(wait);
            }
        }
    }
}

/// Something that is no message, for people.
fn notice(text: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "hookah: {text}");
}

impl Tail<'_> {
    /// Reads one stream to its end.
    fn stream(&mut self, caller: &mut Caller) -> Result<Infallible, Over> {
        let path = self.path();
        let request = Request {
            patience: SILENCE_MAX,
            ..Request::get(&path)
        };
        let (head, mut incoming) = caller.open(&request, request.until())?;
        if head.status != 200 {
            let (body, _) = incoming.whole(true)?;
            let answer = Answer { head, body };
            return Err(match is_passing(answer.head.status) {
                true => Over::Again(answer.refusal(), answer.head.retry_after),
                false => Over::Failed(answer.refusal()),
            });
        }
        let kind = head.field("Content-Type").unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/x-ndjson") {
            let text = "it answers something else than a stream; is it a Hookah?";
            return Err(Trouble::Protocol(text.to_owned()).into());
        }
        // From now on only silence ends it.
        incoming.line().limit(Limit {
            patience: SILENCE_MAX,
            until: None,
        });
        self.begin(&head);
        let mut text = Cutter::new(LINE_BYTES_MAX);
        loop {
            let done = incoming.take(text.buf())?;
            self.lines(&mut text)?;
            let ended = if done {
                true
            } else {
                self.wait(&mut incoming)?;
                incoming.fill()? == 0
            };
            if ended {
                return Err(Trouble::Broken("the stream broke".to_owned()).into());
            }
        }
    }

    /// What to ask for: the rest, if there was something before.
    fn path(&self) -> String {
        let Wish { choice, begin, .. } = self.wish;
        let mut path = format!("/stream?{choice}&format=json&keepalive={KEEP_ALIVE_SECONDS}");
        if self.wish.shown == Shown::Raw {
            path += "&data=raw";
        }
        match &self.last {
            Some(id) => path += &format!("&last_event_id={id}"),
            None if begin.is_empty() => {}
            None => path += &format!("&{begin}"),
        }
        path
    }

    fn begin(&mut self, head: &Head) {
        self.begun = Some(Instant::now());
        self.fed = false;
        if head.field("Hookah-Resume") == Some("reset") && self.last.is_some() {
            notice("messages are missing here: the server does not keep them any more");
        }
        // What comes before that was asked for, and may not have come yet.
        if self.last.is_none() && self.wish.begin.is_empty() {
            // Where nothing was ever published all that is kept later is new.
            let id = head.field("Hookah-Last-Id").unwrap_or(LEAST_ID);
            self.last = checked(id);
        }
    }

    /// Prints all whole lines, and keeps what is left.
    fn lines(&mut self, text: &mut Cutter) -> Result<(), Over> {
        let mut over = None;
        while let Some(line) = text.line() {
            over = self.line(line.strip_suffix(b"\r").unwrap_or(line));
            if over.is_some() {
                break;
            }
        }
        if over.is_none() && text.is_too_long() {
            let most = LINE_BYTES_MAX >> 20;
            over = Some(Trouble::Protocol(format!("a line of more than {most} MiB")).into());
        }
        let written = write_out(&self.out);
        self.out.clear();
        match written {
            // Whoever read it has seen enough.
            Err(why) if why.kind() == io::ErrorKind::BrokenPipe => Err(Over::Done),
            Err(why) => Err(Over::Failed(Failure::io("stdout", &why))),
            Ok(()) => over.map_or(Ok(()), Err),
        }
    }

    fn line(&mut self, line: &[u8]) -> Option<Over> {
        match Event::read(line, self.wish.shown, &mut self.out) {
            Event::Message(id) => {
                self.fed = true;
                self.last = checked(&id).or(self.last.take());
                let left = self.left.as_mut()?;
                *left = left.saturating_sub(1);
                (*left == 0).then_some(Over::Done)
            }
            Event::Missed(number) => {
                notice(format_args!("{number} messages are missing here"));
                None
            }
            Event::Warning => {
                notice("too slow: at the server's bound the stream ends and begins anew");
                None
            }
            Event::Disconnect(end) => Some(self.disconnected(end)),
            Event::Nothing => None,
        }
    }

    fn disconnected(&self, end: End) -> Over {
        let failure = |exit, text| Failure::new(exit, text);
        match end {
            End::Done => Over::Done,
            End::Token => Over::Failed(failure(
                Exit::NoRight,
                "the token was taken away or has expired",
            )),
            End::Closed => Over::Failed(failure(
                Exit::LATER,
                "the topic was closed by its server's admin",
            )),
            End::Slow => Over::Again(failure(Exit::LATER, "too slow for the server"), None),
            End::Passing => Over::Again(failure(Exit::LATER, "the server ended the stream"), None),
        }
    }

    /// Waits until there is something to read, and looks whether somebody reads us.
    fn wait(&self, incoming: &mut Incoming) -> Result<(), Over> {
        let line = incoming.line();
        if line.holds_more() {
            return Ok(());
        }
        let stdout = io::stdout();
        let until = Instant::now() + SILENCE_MAX;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let [readable, unread] =
                shell::await_any(1, [line.as_fd(), stdout.as_fd()], Some(left));
            if readable {
                return Ok(());
            }
            if unread {
                return Err(Over::Done);
            }
            if left.is_zero() {
                return Err(Trouble::Broken("the server is silent".to_owned()).into());
            }
        }
    }
}
