//! An order: one message that a client wants delivered, in one of the spellings /dispatch knows,
//! and what its target must get. It does not travel by itself; clients frame it.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use crate::gates::{self, Flow};
use crate::receipts;
use crate::rng::Rng;
use crate::world::{MS, SECOND};

/// How the order is spelled (dispatch.md sections 1 and 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    /// Everything in an urlencoded body.
    Form,
    /// Only control fields in an urlencoded body: goes out as a GET.
    Empty,
    /// Control fields in the query, payload in query and body.
    Query,
    /// A multipart body with a file.
    Multipart,
    /// The URL in the path, options in the query, any body.
    Path,
}

impl Spelling {
    /// All of them.
    pub const ALL: [Spelling; 5] = [
        Spelling::Form,
        Spelling::Empty,
        Spelling::Query,
        Spelling::Multipart,
        Spelling::Path,
    ];
}

/// One message with its options; times in microseconds.
#[derive(Clone, Debug)]
pub struct Order {
    /// Its number, found again in path and body.
    pub number: usize,
    /// The target's number.
    pub target: usize,
    /// `http://host:port` of the target.
    pub base: String,
    /// How it is spelled.
    pub spelling: Spelling,
    /// `method`.
    pub method: Option<&'static str>,
    /// `delay`.
    pub delay: u64,
    /// `retries`.
    pub retries: Option<u32>,
    /// `retry-schedule`.
    pub schedule: Option<Vec<u64>>,
    /// What holds without it.
    pub retries_default: u32,
    /// The waits that hold without a schedule.
    pub schedule_default: Vec<u64>,
    /// `timeout`.
    pub timeout: Option<u64>,
    /// `expires`, as an age.
    pub expires: Option<u64>,
    /// Bytes of filler in the body.
    pub filler: usize,
    /// Topics that get it too.
    pub topics: Vec<String>,
    /// `redirects`.
    pub redirects: u32,
    /// `targets=public`.
    pub strict: bool,
    /// Its way ends at an address that it may not be sent to.
    pub forbidden: bool,
    /// It carries credentials and a signature, meant for its own target and nobody else.
    pub private: bool,
    /// Its target is told how it ended: `callback`.
    pub callback: bool,
    /// Its target is told if it failed or expired: `errback`.
    pub errback: bool,
    /// `queue`.
    pub queue: Option<&'static str>,
    /// `flow-key`, `rate` and `parallelism`.
    pub flow: Option<Flow>,
}

/// dispatch.md section 4.
pub const SCHEDULE_DEFAULT: [u64; 9] = [
    5 * SECOND,
    300 * SECOND,
    1_800 * SECOND,
    7_200 * SECOND,
    18_000 * SECOND,
    36_000 * SECOND,
    50_400 * SECOND,
    72_000 * SECOND,
    86_400 * SECOND,
];

/// What is sent to /dispatch, apart from its framing.
#[derive(Clone, Debug)]
pub struct Parts {
    /// The request target.
    pub path: String,
    /// The media type.
    pub media: String,
    /// The body.
    pub body: Vec<u8>,
}

const BOUNDARY: &str = "----parts-of-an-order";

impl Order {
    /// A plain order with all options at their defaults.
    pub fn new(number: usize, target: usize, base: String) -> Order {
        Order {
            number,
            target,
            base,
            spelling: Spelling::Form,
            method: None,
            delay: 0,
            retries: None,
            schedule: None,
            retries_default: 9,
            schedule_default: SCHEDULE_DEFAULT.to_vec(),
            timeout: None,
            expires: None,
            filler: 0,
            topics: Vec::new(),
            redirects: 0,
            strict: false,
            forbidden: false,
            private: false,
            callback: false,
            errback: false,
            queue: None,
            flow: None,
        }
    }

    /// Rolls spelling and options.
    pub fn randomize(&mut self, rng: &mut Rng) {
        self.spelling = rng.pick(&Spelling::ALL);
        self.method = rng.pick(&[None, None, None, Some("POST"), Some("PUT"), Some("DELETE")]);
        self.delay = rng.pick(&[0, 0, 0, 250 * MS, 3 * SECOND, 90 * SECOND]);
        self.retries = Some(rng.pick(&[0, 1, 2, 3, 5]));
        let short = [100 * MS, SECOND, 5 * SECOND];
        let steps = rng.between(1, 3) as usize;
        self.schedule = Some(short[..steps].to_vec());
        if rng.chance(10) {
            (self.retries, self.schedule) = (None, None);
        }
        self.timeout = rng.pick(&[None, None, Some(SECOND), Some(5 * SECOND)]);
        self.filler = rng.pick(&[0, 0, 10, 300, 3_000, 70_000]);
        self.redirects = rng.pick(&[0, 0, 1, 3]);
        self.private = rng.chance(20);
        self.queue = rng.chance(20).then(|| rng.pick(&gates::QUEUES));
        self.flow = rng.chance(25).then(|| rng.pick(&gates::FLOWS));
    }

    /// Attempts at most: the first and its retries.
    pub fn budget(&self) -> u32 {
        1 + self.retries.unwrap_or(self.retries_default)
    }

    /// The wait before attempt `next` (from 2), without jitter.
    pub fn wait_before(&self, next: u32) -> u64 {
        let schedule = self.schedule.as_ref().unwrap_or(&self.schedule_default);
        let step = (next as usize).saturating_sub(2).min(schedule.len() - 1);
        schedule[step]
    }

    /// Whether it may have to wait for others than those of its lane.
    pub fn is_gated(&self) -> bool {
        self.queue.is_some() || self.flow.is_some()
    }

    /// The deadline of one attempt.
    pub fn timeout_or_default(&self) -> u64 {
        self.timeout.unwrap_or(15 * SECOND)
    }

    /// The request target its target must see.
    pub fn hook(&self) -> String {
        format!("/hook/{}?from=sim", self.number)
    }

    /// The number in a request target made by `hook`.
    pub fn number_in_hook(target: &str) -> Option<usize> {
        let rest = target.strip_prefix("/hook/")?;
        let (number, query) = rest.split_once('?')?;
        let known = query == "from=sim" || query == "from=hop";
        number.parse().ok().filter(|_| known)
    }

    /// Where a target sends the order on, seen from its own host.
    pub fn hop(number: usize) -> String {
        format!("/hook/{number}?from=hop")
    }

    /// Whether a request target is one that another target named.
    pub fn is_hop(target: &str) -> bool {
        target.ends_with("?from=hop")
    }

    /// The number in a body made by `parts`.
    pub fn number_in_body(body: &[u8]) -> Option<usize> {
        let text = String::from_utf8_lossy(body);
        let (_, rest) = text.split_once("order-")?;
        rest.split_once('-')?.0.parse().ok()
    }

    /// The method its target must see.
    pub fn method_out(&self) -> &'static str {
        let default = if self.spelling == Spelling::Empty {
            "GET"
        } else {
            "POST"
        };
        self.method.unwrap_or(default)
    }

    /// A message of a batch that asks for the same.
    pub fn item(&self) -> String {
        let members = self.options().into_iter();
        let members = members.map(|(name, value)| format!("{name:?}: {value:?}"));
        let members: Vec<String> = members.collect();
        let body = STANDARD.encode(self.payload().unwrap_or_default());
        let (url, media) = (self.url(), self.media_out());
        let own = format!("\"url\": {url:?}, \"body_base64\": {body:?}");
        let headers = format!("\"headers\": {{\"content-type\": {media:?}}}");
        format!("{{{}}}", [members, vec![own, headers]].concat().join(", "))
    }

    fn url(&self) -> String {
        format!("{}{}", self.base, self.hook())
    }

    fn mark(&self) -> String {
        format!("order-{}-{}", self.number, "x".repeat(self.filler))
    }

    /// The control fields, the URL apart.
    fn options(&self) -> Vec<(&'static str, String)> {
        let topics = self.topics.iter().map(|topic| ("_topic", topic.clone()));
        let mut options: Vec<_> = topics.collect();
        options.extend(self.method.map(|method| ("_method", method.to_owned())));
        if self.delay > 0 {
            options.push(("_delay", duration(self.delay)));
        }
        options.extend(
            self.retries
                .map(|retries| ("_retries", retries.to_string())),
        );
        if let Some(schedule) = &self.schedule {
            let steps: Vec<String> = schedule.iter().map(|step| duration(*step)).collect();
            options.push(("_retry_schedule", steps.join(",")));
        }
        options.extend(self.expires.map(|age| ("_expires", duration(age))));
        options.extend(self.timeout.map(|timeout| ("_timeout", duration(timeout))));
        if self.redirects > 0 {
            options.push(("_redirects", self.redirects.to_string()));
        }
        if self.strict {
            options.push(("_targets", "public".to_owned()));
        }
        for (name, asked) in [("_callback", self.callback), ("_errback", self.errback)] {
            if asked {
                options.push((name, receipts::url(&self.base, self.number)));
            }
        }
        options.extend(self.queue.map(|name| ("_queue", name.to_owned())));
        if let Some(flow) = &self.flow {
            options.extend(flow.options());
        }
        if self.private {
            let secret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";
            options.push(("_secret", secret.to_owned()));
            for field in [
                "Authorization: Bearer order",
                "Cookie: order=1",
                "X-Api-Key: order",
            ] {
                options.push(("_header", field.to_owned()));
            }
        }
        options
    }

    /// Control fields with the URL among them, encoded for a query or form.
    fn control(&self) -> String {
        let mut fields = vec![format!("_url={}", escape(&self.url()))];
        fields.extend(
            self.options()
                .iter()
                .map(|(name, value)| format!("{name}={}", escape(value))),
        );
        fields.join("&")
    }

    /// What a client sends.
    pub fn parts(&self) -> Parts {
        let form = "application/x-www-form-urlencoded".to_owned();
        let (control, payload) = (self.control(), self.payload());
        match self.spelling {
            Spelling::Form => {
                let body = format!("_foo=%C3%A9+1&{control}&order={}", self.mark());
                Parts {
                    path: "/dispatch".to_owned(),
                    media: form,
                    body: body.into(),
                }
            }
            Spelling::Empty => Parts {
                path: "/dispatch".to_owned(),
                media: form,
                body: control.into(),
            },
            Spelling::Query => {
                let body = format!("order={}", self.mark()).into();
                Parts {
                    path: format!("/dispatch?first=1&{control}"),
                    media: form,
                    body,
                }
            }
            Spelling::Multipart => self.multipart(),
            Spelling::Path => {
                let options: Vec<String> = self
                    .options()
                    .iter()
                    .map(|(name, v)| format!("{name}={}", escape(v)))
                    .collect();
                let query = if options.is_empty() { "" } else { "?" };
                let encoded = URL_SAFE_NO_PAD.encode(self.url());
                let path = format!("/dispatch/{encoded}{query}{}", options.join("&"));
                Parts {
                    path,
                    media: self.media_out(),
                    body: payload.unwrap_or_default(),
                }
            }
        }
    }

    fn multipart(&self) -> Parts {
        let mut fields = vec![("_url", self.url())];
        fields.extend(self.options());
        let mut body = String::new();
        for (name, value) in fields {
            let head = format!("Content-Disposition: form-data; name=\"{name}\"");
            body += &format!("--{BOUNDARY}\r\n{head}\r\n\r\n{value}\r\n");
        }
        body += &format!("--{BOUNDARY}\r\n{}\r\n--{BOUNDARY}--\r\n", self.file());
        let media = format!("multipart/form-data; boundary={BOUNDARY}");
        Parts {
            path: "/dispatch".to_owned(),
            media,
            body: body.into(),
        }
    }

    /// The payload part of a multipart body: its head and content.
    fn file(&self) -> String {
        let head = "Content-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\
            Content-Type: text/plain";
        format!("{head}\r\n\r\n{}", self.mark())
    }

    /// The body its target must see; `None` where only a part of it is known.
    pub fn payload(&self) -> Option<Vec<u8>> {
        match self.spelling {
            Spelling::Form => Some(format!("_foo=%C3%A9+1&order={}", self.mark()).into()),
            Spelling::Empty => Some(Vec::new()),
            Spelling::Query => Some(format!("first=1&order={}", self.mark()).into()),
            Spelling::Multipart => None,
            Spelling::Path => Some(format!("\u{0}raw {}", self.mark()).into()),
        }
    }

    /// The media type its target must see; a prefix of it for a multipart body.
    fn media_out(&self) -> String {
        match self.spelling {
            Spelling::Multipart => "multipart/form-data; boundary=".to_owned(),
            Spelling::Path => "application/x.anything".to_owned(),
            _ => "application/x-www-form-urlencoded".to_owned(),
        }
    }

    /// What is wrong with the body and media type that its target got, if anything.
    pub fn check_payload(&self, media: Option<&str>, body: &[u8]) -> Result<(), String> {
        let right = match self.payload() {
            Some(payload) => payload == body,
            None => String::from_utf8_lossy(body).contains(&format!("\r\n{}\r\n--", self.file())),
        };
        if !right {
            let text = String::from_utf8_lossy(&body[..body.len().min(600)]).into_owned();
            return Err(format!(
                "order {} came out as {text:?}: {self:?}",
                self.number
            ));
        }
        match media {
            _ if body.is_empty() => Ok(()),
            Some(media) if media.starts_with(&self.media_out()) => Ok(()),
            _ => Err(format!("media type {media:?} of order {self:?}")),
        }
    }
}

pub fn duration(micros: u64) -> String {
    if micros.is_multiple_of(SECOND) {
        format!("{}s", micros / SECOND)
    } else {
        format!("{}ms", micros / MS)
    }
}

fn escape(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// The fields that an order's own target gets to know who is asking, and nobody else.
pub const CREDENTIALS: [&str; 4] = ["authorization", "cookie", "x-api-key", "webhook-signature"];
