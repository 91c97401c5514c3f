//! What a reader asks of /stream, and the request that says so. The query is read here once more,
//! naively; nothing is shared with Hookah's reading of it.

use crate::ear::Format;

/// Where a reader wants to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cursor {
    /// With what comes.
    Now,
    /// With all that is kept.
    All,
    /// With the last so many.
    Last(usize),
    /// Behind that message, or behind one that nobody knows.
    After(String),
}

/// How a reader that comes again names the message that it got last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// In the field that browsers send.
    Field,
    /// `last_event_id=`
    Parameter,
    /// `since=`
    Since,
}

/// What a reader asks for.
#[derive(Clone, Debug)]
pub struct Asks {
    /// The topics; any of them.
    pub topics: Vec<String>,
    /// Beginnings of topics.
    pub prefixes: Vec<String>,
    /// Fields and the values that they may have.
    pub wants: Vec<(String, String)>,
    /// How it wants to be told.
    pub format: Format,
    /// Silence is filled with events.
    pub heartbeat: bool,
    /// Where it begins.
    pub cursor: Cursor,
    /// Its stream ends once it has what is kept.
    pub ends: bool,
    /// It would rather lose messages than its stream.
    pub drops: bool,
    /// It wants to be warned.
    pub warns: bool,
    /// Silence that it bears, in seconds, if it says so.
    pub keep_alive: Option<u64>,
    /// The pause before it comes again, in milliseconds, if it says so.
    pub retry: Option<u64>,
    /// There may be too many streams for it.
    pub may_be_refused: bool,
    /// Its stream may be ended for its age.
    pub sheds: bool,
    /// It shows a token, which may be taken away.
    pub guest: bool,
    /// HTTP/1.0.
    pub old: bool,
    /// Other requests before it on the line.
    pub before: usize,
    /// Bytes of all requests.
    pub bytes: usize,
    more: String,
    field: Option<String>,
}

impl Asks {
    /// These topics and prefixes, with more of a query.
    pub fn of(
        topics: &[&str],
        prefixes: &[&str],
        more: &str,
        (old, before): (bool, usize),
    ) -> Asks {
        let own = |list: &[&str]| list.iter().map(|it| (*it).to_owned()).collect();
        let mut asks = Asks {
            topics: own(topics),
            prefixes: own(prefixes),
            wants: Vec::new(),
            format: Format::Raw,
            heartbeat: false,
            cursor: Cursor::Now,
            ends: false,
            drops: false,
            warns: false,
            keep_alive: None,
            retry: None,
            may_be_refused: false,
            sheds: false,
            guest: false,
            old,
            before,
            bytes: 0,
            more: more.to_owned(),
            field: None,
        };
        asks.settle();
        asks
    }

    /// The same once more, behind the message that it got last.
    pub fn again(&self, last: Option<&str>, way: Way) -> Asks {
        let mut asks = self.clone();
        let Some(last) = last else { return asks };
        asks.field = None;
        let mut pairs: Vec<&str> = self.more.split('&').collect();
        pairs.retain(|pair| !pair.starts_with("last_event_id="));
        let own = format!("last_event_id={last}");
        let since = format!("since={last}");
        match way {
            Way::Field => asks.field = Some(last.to_owned()),
            Way::Parameter => pairs.push(&own),
            Way::Since => {
                pairs.retain(|pair| !pair.starts_with("since=") && !pair.starts_with("count="));
                pairs.push(&since);
            }
        }
        asks.more = pairs.join("&");
        asks.settle();
        asks
    }

    /// Reads the query. A field wins over `last_event_id`, and that over the rest.
    fn settle(&mut self) {
        let (mut kind, mut length, mut raw) = ("raw", false, false);
        let more = self.more.clone();
        let (mut named, mut begin, mut ends) = (None, Cursor::Now, false);
        for pair in more.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                "format" => kind = value,
                "delimited" => length = true,
                "data" => raw = true,
                "heartbeat" => self.heartbeat = value == "event",
                "slow" => self.drops = value == "drop",
                "stall_warnings" => self.warns = value == "true",
                "keepalive" => self.keep_alive = value.parse().ok(),
                "retry" => self.retry = value.parse().ok(),
                "last_event_id" => named = Some(value.to_owned()),
                "since" if value == "all" => begin = Cursor::All,
                "since" if value == "latest" => begin = Cursor::Now,
                "since" => begin = Cursor::After(value.to_owned()),
                "count" => {
                    ends = value.starts_with('-');
                    let count = value.trim_start_matches('-').parse();
                    begin = Cursor::Last(count.expect("a count"));
                }
                _ => {}
            }
            if let Some(field) = name.strip_prefix("where.") {
                let want = (field.to_owned(), value.to_owned());
                if !self.wants.contains(&want) {
                    self.wants.push(want);
                }
            }
        }
        self.ends = ends;
        let named = self.field.clone().or(named);
        self.cursor = named.map_or(begin, Cursor::After);
        self.format = match (kind, length, raw) {
            ("sse", _, false) => Format::Sse,
            ("sse", _, true) => Format::SseRaw,
            ("json", false, false) => Format::Json,
            ("json", false, true) => Format::JsonRaw,
            ("json", true, _) => Format::JsonLength,
            (_, false, _) => Format::Raw,
            (_, true, _) => Format::RawLength,
        };
        self.bytes = self.request().len();
    }

    /// It shows that secret.
    pub fn show(&mut self, secret: &str) {
        self.more += &format!("&token={secret}");
        self.settle();
    }

    /// The request, behind those that come before it.
    pub fn request(&self) -> String {
        let health = "GET /health HTTP/1.1\r\nHost: a\r\n\r\n".repeat(self.before);
        let version = if self.old { "1.0" } else { "1.1" };
        let mut path = format!("/stream?{}", self.more);
        for (name, values) in [("topic", &self.topics), ("prefix", &self.prefixes)] {
            for value in values {
                path += &format!("&{name}={}", escape(value));
            }
        }
        let field = self.field.as_ref();
        let field = field.map_or(String::new(), |id| format!("Last-Event-ID: {id}\r\n"));
        format!("{health}GET {path} HTTP/{version}\r\nHost: a\r\n{field}\r\n")
    }

    /// What it reads, as one name.
    pub fn selection(&self) -> String {
        format!("{:?} {:?} {:?}", self.topics, self.prefixes, self.wants)
    }

    /// Whether it reads one topic and nothing else.
    pub fn is_plain(&self) -> bool {
        self.topics.len() == 1 && self.prefixes.is_empty() && self.wants.is_empty()
    }

    /// Whether it reads that topic.
    pub fn reads(&self, topic: &str) -> bool {
        let begins = |prefix: &String| topic.starts_with(&**prefix);
        self.topics.iter().any(|it| it == topic) || self.prefixes.iter().any(begins)
    }

    /// Whether its filter lets a message with these fields through.
    pub fn lets_through(&self, fields: &[(String, String)]) -> bool {
        let has = |name: &str| {
            let mut wanted = self.wants.iter().filter(|(it, _)| it == name);
            wanted.any(|want| fields.contains(want))
        };
        self.wants.iter().all(|(name, _)| has(name))
    }
}

/// Percent-encodes a topic's name.
pub fn escape(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let one = |byte: u8| match plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}
