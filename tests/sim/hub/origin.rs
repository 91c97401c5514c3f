//! Topics: what their origins say at each time, and how badly.
//! They know nothing of subscribers.

use crate::http::Message;
use crate::rng::Rng;
use crate::script::Step;
use crate::world::{SECOND, World};

/// How a topic is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Serves {
    /// As it should be.
    Right,
    /// That status.
    Status(u16),
    /// That status, with a Retry-After in seconds.
    Later(u16, u64),
    /// It is somewhere else on the same host.
    Redirect(u16),
    /// Elsewhere, and so on.
    Loop,
    /// Where nothing may be called.
    Astray,
    /// More than the hub takes.
    TooLong,
    /// A reset inside the body.
    Cut,
    /// Right, after so long.
    Late(u64),
    /// Nothing.
    Silent,
}

/// What tells its versions apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validator {
    /// None.
    None,
    /// An ETag.
    Tag,
    /// A Last-Modified.
    Modified,
}

/// Entries that a feed shows at a time.
const SHOWN: usize = 3;

/// One topic.
#[derive(Debug)]
pub struct Topic {
    /// Its number.
    pub number: usize,
    /// Where it is served; nowhere if it is a plain name.
    pub host: Option<usize>,
    /// What it is known by.
    pub key: String,
    /// Its versions, and since when each of them is the newest.
    pub versions: Vec<(u64, Vec<u8>)>,
    /// How it is served, each until its time; then right.
    pub serves: Vec<(u64, Serves)>,
    /// Whether it is a feed, of which each version has one entry more.
    pub feed: bool,
    /// What tells versions apart.
    pub validator: Validator,
    /// What it calls itself, if anything.
    pub canonical: Option<String>,
    /// Its type.
    pub content_type: Option<&'static str>,
    /// GETs that came.
    pub asked: usize,
}

impl Topic {
    /// A topic without versions.
    pub fn new(number: usize, host: Option<usize>, key: String) -> Topic {
        Topic {
            number,
            host,
            key,
            versions: Vec::new(),
            serves: Vec::new(),
            feed: false,
            validator: Validator::Tag,
            canonical: None,
            content_type: Some("application/atom+xml; charset=UTF-8"),
            asked: 0,
        }
    }

    /// A further version; what may be published of it, its whole body first.
    pub fn change(&mut self, at: u64, filler: usize) -> Vec<Vec<u8>> {
        let (number, version) = (self.number, self.versions.len());
        let bodies = match self.feed {
            true => {
                let entries = (1..=SHOWN.min(version + 1)).rev();
                entries.map(|count| self.entries(version, count)).collect()
            }
            false => vec![format!("t={number}&v={version}&x={}", "x".repeat(filler)).into_bytes()],
        };
        self.versions.push((at, bodies[0].clone()));
        bodies
    }

    /// A feed with the entry of that version, and those before it, so many of them.
    fn entries(&self, version: usize, count: usize) -> Vec<u8> {
        let entry = |version| format!("<entry><id>{version}</id></entry>");
        let shown = (version + 1 - count..=version).rev();
        let (number, entries) = (self.number, shown.map(entry).collect::<String>());
        let head = format!("<feed xmlns='http://www.w3.org/2005/Atom'><title>{number}</title>");
        format!("{head}{entries}</feed>").into_bytes()
    }

    /// Which version that is, and which one its readers must have had if it is not all of it.
    pub fn version(&self, body: &[u8]) -> Option<(usize, Option<usize>)> {
        let whole = self.versions.iter().position(|(_, known)| known == body);
        if let Some(version) = whole {
            return Some((version, None));
        }
        let counts = |version: usize| 1..SHOWN.min(version + 1);
        let parts =
            (0..self.versions.len()).flat_map(|it| counts(it).map(move |count| (it, count)));
        let mut parts = parts.filter(|_| self.feed);
        let found = parts.find(|(version, count)| self.entries(*version, *count) == body);
        found.map(|(version, count)| (version, Some(version - count)))
    }

    /// It answers a GET.
    pub fn answer(&mut self, world: &mut World, base: &str, request: &Message) -> Vec<Step> {
        self.asked += 1;
        assert_eq!(request.word(0), "GET");
        assert_eq!(request.field("accept-encoding"), Some("identity"));
        let (path, at) = (request.word(1), world.at());
        let phase = self.serves.iter().find(|(until, _)| at < *until);
        let mut serves = phase.map_or(Serves::Right, |(_, serves)| *serves);
        if path.ends_with("/moved") && matches!(serves, Serves::Redirect(_)) {
            serves = Serves::Right;
        }
        let plain = |status: u16, fields: &str| {
            let text = format!("HTTP/1.1 {status} X\r\n{fields}Content-Length: 0\r\n\r\n");
            vec![Step::Send(text.into_bytes())]
        };
        let number = self.number;
        match serves {
            Serves::Right => vec![Step::Send(self.page(world, request))],
            Serves::Status(status) => plain(status, ""),
            Serves::Later(status, seconds) => plain(status, &format!("Retry-After: {seconds}\r\n")),
            Serves::Redirect(status) => {
                plain(status, &format!("Location: {base}/t/{number}/moved\r\n"))
            }
            Serves::Loop => plain(302, &format!("Location: /t/{number}/again\r\n")),
            Serves::Astray => plain(307, "Location: http://169.254.169.254/latest\r\n"),
            Serves::TooLong => {
                let mut bytes = b"HTTP/1.1 200 X\r\nContent-Length: 200000\r\n\r\n".to_vec();
                bytes.resize(bytes.len() + 200_000, b'x');
                vec![Step::Send(bytes)]
            }
            Serves::Cut => {
                let text = "HTTP/1.1 200 X\r\nContent-Length: 2000\r\n\r\nt=0&v=";
                vec![Step::Send(text.as_bytes().to_vec()), Step::Reset]
            }
            Serves::Late(span) => {
                let page = self.page(world, request);
                vec![Step::Wait(span), Step::Send(page)]
            }
            Serves::Silent => Vec::new(),
        }
    }

    /// The newest version, or that it is known.
    fn page(&self, world: &World, request: &Message) -> Vec<u8> {
        let (since, body) = self.versions.last().expect("a version");
        let version = self.versions.len();
        let offset = world.now.wall.0 - world.at();
        let date = |micros: u64| {
            let span = std::time::Duration::from_secs((micros + offset) / SECOND);
            httpdate::fmt_http_date(std::time::UNIX_EPOCH + span)
        };
        let mut fields = format!("Date: {}\r\n", date(world.at()));
        let known = match self.validator {
            Validator::None => false,
            Validator::Tag => {
                let tag = format!("\"v{version}\"");
                fields += &format!("ETag: {tag}\r\n");
                request.field("if-none-match") == Some(&*tag)
            }
            Validator::Modified => {
                let modified = date(*since);
                fields += &format!("Last-Modified: {modified}\r\n");
                request.field("if-modified-since") == Some(&*modified)
            }
        };
        if let Some(canonical) = &self.canonical {
            fields += &format!("Link: <{canonical}>; rel=\"self\"\r\n");
        }
        if known {
            return format!("HTTP/1.1 304 X\r\n{fields}\r\n").into_bytes();
        }
        if let Some(content_type) = self.content_type {
            fields += &format!("Content-Type: {content_type}\r\n");
        }
        let head = format!(
            "HTTP/1.1 200 X\r\n{fields}Content-Length: {}\r\n\r\n",
            body.len()
        );
        [head.as_bytes(), body].concat()
    }
}

impl Serves {
    /// Any way to serve a topic.
    pub fn random(rng: &mut Rng) -> Serves {
        let late = rng.between(0, 35 * SECOND);
        rng.pick(&[
            Serves::Right,
            Serves::Status(500),
            Serves::Status(404),
            Serves::Status(410),
            Serves::Status(204),
            Serves::Later(503, 60),
            Serves::Later(429, 3),
            Serves::Redirect(301),
            Serves::Redirect(303),
            Serves::Redirect(308),
            Serves::Loop,
            Serves::Astray,
            Serves::TooLong,
            Serves::Cut,
            Serves::Late(late),
            Serves::Silent,
        ])
    }
}
