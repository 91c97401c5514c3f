//! Requests to the server: one at a time, over a kept line if there is one, and again for a while
//! if the server is away or too busy. What is sent twice is the caller's concern.

use std::fmt;
use std::fs;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ClientConfig;

use super::answer::{Head, Incoming, words};
use super::line::{Limit, Line};
use super::server::Place;
use super::{Failure, RETRY_FOR, Settings, Token};
use crate::base::exit::Exit;
use crate::base::rng::Rng;
use crate::http::field::is_value;
use crate::http::write;
use crate::shell;

/// How long an answer may take that nobody asked to wait for.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// A line that takes less of a body than that is as good as broken.
const BODY_BYTES_A_SECOND: usize = 64 << 10;
/// Longer than that nobody is told to wait who has no time of his own.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);
/// The first wait before another try, and the longest one.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Nobody is there.
    Unreachable(String),
    /// The line broke; whether the request was taken is not known.
    Broken(String),
    /// What is there is no server of ours.
    Protocol(String),
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Failure {
        match trouble {
            Trouble::Unreachable(text) | Trouble::Broken(text) => {
                Failure::new(Exit::Unavailable, text)
            }
            Trouble::Protocol(text) => Failure::new(Exit::Protocol, text),
        }
    }
}

/// A request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request<'a> {
    pub(super) method: &'a str,
    /// Path and query.
    pub(super) path: &'a str,
    pub(super) fields: &'a [(String, String)],
    pub(super) body: &'a [u8],
    /// How long its whole answer may take, with connecting.
    pub(super) patience: Duration,
    /// Whether more of a success is needed than its head.
    pub(super) needs_body: bool,
}

impl Request<'_> {
    /// A GET without anything around it.
    pub(super) fn get(path: &str) -> Request<'_> {
        Request {
            method: "GET",
            path,
            fields: &[],
            body: b"",
            patience: PATIENCE,
            needs_body: true,
        }
    }

    /// When its answer has to be there; a large body is given the time that it takes to send.
    pub(super) fn until(&self) -> Instant {
        let sending = Duration::from_secs((self.body.len() / BODY_BYTES_A_SECOND) as u64);
        Instant::now() + self.patience + sending
    }
}

/// A whole answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) head: Head,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// What it means that this is no success.
    pub(super) fn refusal(&self) -> Failure {
        let status = self.head.status;
        let exit = match status {
            401 | 403 => Exit::NoRight,
            429 | 500.. => Exit::LATER,
            400.. => Exit::Refused,
            _ => Exit::Protocol,
        };
        Failure::new(exit, words(status, &self.body))
    }
}

/// Whether another try may go better: it is busy, it begins or ends, or somebody in front of it
/// finds nobody behind.
pub(super) fn is_passing(status: u16) -> bool {
    matches!(status, 429 | 502..=504)
}

/// Who calls the server.
pub(super) struct Caller {
    settings: Settings,
    trusted: Option<Arc<ClientConfig>>,
    authorization: Option<String>,
    kept: Option<Line>,
    pub(super) rng: Rng,
}

impl Caller {
    /// Reads what is needed for calling, and calls nobody yet.
    pub(super) fn new(settings: Settings) -> Result<Caller, Failure> {
        let seed = shell::entropy().map_err(|why| Failure::io("no entropy", &why))?;
        let secure = matches!(settings.server.place, Place::Tcp { secure: true, .. });
        let trusted = match secure {
            false => None,
            true => {
                let trusted = shell::trust(settings.ca_file.as_deref());
                Some(trusted.map_err(|fault| Failure::new(Exit::Io, fault))?)
            }
        };
        Ok(Caller {
            authorization: secret(&settings.token)?.map(|secret| format!("Bearer {secret}")),
            trusted,
            settings,
            kept: None,
            rng: Rng::new(seed),
        })
    }

    /// How long to try again.
    pub(super) fn retry_for(&self) -> Duration {
        self.settings.retry_for.unwrap_or(RETRY_FOR)
    }

    /// How long to try again, if that was said.
    pub(super) fn said_retry_for(&self) -> Option<Duration> {
        self.settings.retry_for
    }

    /// Sends a request: the head of the answer, and its body as it comes, all by then.
    pub(super) fn open(
        &mut self,
        request: &Request<'_>,
        until: Instant,
    ) -> Result<(Head, Incoming), Trouble> {
        let mut line = match self.kept.take() {
            Some(line) => line,
            None => {
                let trusted = self.trusted.as_ref();
                Line::connect(&self.settings.server, trusted, &mut self.rng, until)?
            }
        };
        let broken = |why: std::io::Error| Trouble::Broken(format!("the line broke: {why}"));
        line.limit(Limit {
            patience: request.patience,
            until: Some(until),
        });
        let text = self.text(request);
        // A server may answer before it has taken all, and then it is the answer that counts.
        let sent = line.write_all(&text).and_then(|()| line.flush());
        match (Incoming::begin(line), sent) {
            (Err(Trouble::Broken(_)), Err(why)) => Err(broken(why)),
            (begun, _) => begun,
        }
    }

    /// Sends a request, once: the whole answer.
    pub(super) fn call(&mut self, request: &Request<'_>) -> Result<Answer, Trouble> {
        let reused = self.kept.is_some();
        let until = request.until();
        let (head, incoming) = match self.open(request, until) {
            // Our server closes lines that are idle for long, and says nothing. One that is silent
            // has not closed it.
            Err(Trouble::Broken(_)) if reused && Instant::now() < until => {
                self.open(request, until)?
            }
            begun => begun?,
        };
        let (body, line) = incoming.whole(request.needs_body)?;
        self.kept = line;
        Ok(Answer { head, body })
    }

    /// Sends a request, and again while the server is away or too busy; any answer but those that
    /// say so.
    pub(super) fn insist(&mut self, request: &Request<'_>) -> Result<Answer, Failure> {
        let mut patience = Patience::new(Some(self.retry_for()));
        loop {
            let (failure, at_least) = match self.call(request) {
                Ok(answer) if !is_passing(answer.head.status) => return Ok(answer),
                Ok(answer) => (answer.refusal(), answer.head.retry_after),
                Err(trouble @ Trouble::Protocol(_)) => return Err(trouble.into()),
                Err(trouble) => (trouble.into(), None),
            };
            patience.rest(&mut self.rng, at_least, failure)?;
        }
    }

    fn text(&self, request: &Request<'_>) -> Vec<u8> {
        let Request {
            method,
            path,
            fields,
            body,
            ..
        } = *request;
        let server = &self.settings.server;
        let mut out = Vec::with_capacity(512 + body.len());
        for part in [method, " ", &server.folder, path, " HTTP/1.1\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
        write::field(&mut out, "Host", &server.authority);
        write::field(
            &mut out,
            "User-Agent",
            concat!("hookah/", env!("CARGO_PKG_VERSION")),
        );
        if let Some(value) = &self.authorization {
            write::field(&mut out, "Authorization", value);
        }
        for (name, value) in fields {
            write::field(&mut out, name, value);
        }
        if method != "GET" {
            write::field(&mut out, "Content-Length", &body.len().to_string());
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(body);
        out
    }
}

/// What proves who we are, of where it stands.
fn secret(token: &Token) -> Result<Option<String>, Failure> {
    let (text, whence) = match token {
        Token::None => return Ok(None),
        Token::Text(text) => (text.clone(), "HOOKAH_TOKEN".to_owned()),
        Token::File(path) => {
            let whence = format!("--token-file {}", path.display());
            let text = fs::read_to_string(path).map_err(|why| Failure::io(&whence, &why))?;
            (text.lines().next().unwrap_or_default().to_owned(), whence)
        }
    };
    let text = text.trim();
    // The value itself is nobody's business.
    if text.is_empty()
        || !text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && is_value(byte))
    {
        let wrong = format!("{whence}: that is no token; allowed: one line, as token new gave it");
        return Err(Failure::new(Exit::Usage, wrong));
    }
    Ok(Some(text.to_owned()))
}

/// How long is tried again, with longer and longer waits of a random part less.
pub(super) struct Patience {
    began: Instant,
    time: Option<Duration>,
    wait: Duration,
}

impl Patience {
    /// So long from now on; for ever without a time.
    pub(super) fn new(time: Option<Duration>) -> Patience {
        Patience {
            began: Instant::now(),
            time,
            wait: BACKOFF.0,
        }
    }

    /// It has worked again: so long from now on, and if it has worked well with short waits.
    pub(super) fn renew(&mut self, time: Option<Duration>, well: bool) {
        self.began = Instant::now();
        self.time = time;
        if well {
            self.wait = BACKOFF.0;
        }
    }

    /// Waits before another try, at least so long; gives the failure back if there is no time left.
    pub(super) fn rest<E: fmt::Debug>(
        &mut self,
        rng: &mut Rng,
        at_least: Option<Duration>,
        failure: E,
    ) -> Result<(), E> {
        match self.next(rng, at_least) {
            Some(wait) => {
                idle(wait);
                Ok(())
            }
            None => Err(failure),
        }
    }

    /// How long to wait before another try, at least so long; `None` if there is no time left.
    pub(super) fn next(&mut self, rng: &mut Rng, at_least: Option<Duration>) -> Option<Duration> {
        let at_least = at_least.unwrap_or_default();
        let at_least = match self.time {
            None => at_least.min(RETRY_AFTER_MAX),
            Some(_) => at_least,
        };
        let millis = self.wait.as_millis() as u64;
        let wait = Duration::from_millis(millis / 2 + rng.below(millis / 2 + 1));
        let wait = wait.max(at_least);
        self.wait = (self.wait * 2).min(BACKOFF.1);
        let left = self
            .time
            .map(|time| time.saturating_sub(self.began.elapsed()));
        left.is_none_or(|left| wait <= left).then_some(wait)
    }
}

/// Does nothing for so long.
pub(super) fn idle(time: Duration) {
    let _: [bool; 0] = shell::await_any(0, [], Some(time));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_until_it_has_worked_well_and_nobody_is_sent_away_for_a_day() {
        let mut rng = Rng::new([7; 32]);
        let day = Some(Duration::from_secs(86_400));
        let mut patience = Patience::new(Some(Duration::from_secs(10)));
        assert_eq!(patience.next(&mut rng, day), None);
        patience.renew(None, true);
        assert_eq!(patience.next(&mut rng, day), Some(RETRY_AFTER_MAX));
        for _ in 0..9 {
            patience.next(&mut rng, None);
            patience.renew(None, false);
        }
        assert!(patience.next(&mut rng, None) >= Some(BACKOFF.1 / 2));
        patience.renew(None, true);
        assert!(patience.next(&mut rng, None) <= Some(BACKOFF.0));
    }
}
