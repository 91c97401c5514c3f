//! The scripted readers of streams: what they ask, how they read, when they go.
//! They keep every byte they get and judge nothing but that it is what was written.

use std::net::IpAddr;

use crate::net::{Item, LinkId, Net, Shape};
use crate::script::{Script, Step};
use crate::world::World;

/// What a reader asks for.
#[derive(Clone, Debug)]
pub struct Asks {
    /// The topics; any of them.
    pub topics: Vec<String>,
    /// Beginnings of topics.
    pub prefixes: Vec<String>,
    /// It wants what is kept, too.
    pub all: bool,
    /// It would rather lose messages than its stream.
    pub drops: bool,
    /// Its stream ends once it has what is kept.
    pub ends: bool,
    /// There may be too many streams for it.
    pub may_be_refused: bool,
    /// HTTP/1.0.
    pub old: bool,
    /// Other requests before it on the line.
    pub before: usize,
    /// Bytes of all requests.
    pub bytes: usize,
}

/// One reader.
#[derive(Debug)]
pub struct Reader {
    /// Where it connects from.
    pub ip: IpAddr,
    /// What it asks for.
    pub asks: Asks,
    /// The temper of its link, if it is not left to chance.
    pub shape: Option<Shape>,
    /// Its connection, once it is made.
    pub link: Option<LinkId>,
    /// Every byte it got.
    pub got: Vec<u8>,
    /// Whether the server has finished sending.
    pub finished: bool,
    script: Script,
}

impl Asks {
    /// What it reads, as one name.
    pub fn selection(&self) -> String {
        format!("{:?} {:?}", self.topics, self.prefixes)
    }

    /// Whether it reads what is published to these topics.
    pub fn reads(&self, topics: &[String]) -> bool {
        let exact = |topic: &String| self.topics.contains(topic);
        let begins = |topic: &String| self.prefixes.iter().any(|it| topic.starts_with(&**it));
        topics.iter().any(|topic| exact(topic) || begins(topic))
    }
}

impl Reader {
    /// A reader of `topic` that asks `before` times for /health first, on the same line, and then
    /// does these steps.
    pub fn new(topic: &str, old: bool, before: usize, then: Vec<Step>) -> Reader {
        Reader::of(&[topic], &[], "", (old, before), then)
    }

    /// The same with topics, prefixes, and more of a query.
    pub fn of(
        topics: &[&str],
        prefixes: &[&str],
        more: &str,
        (old, before): (bool, usize),
        then: Vec<Step>,
    ) -> Reader {
        let health = "GET /health HTTP/1.1\r\nHost: a\r\n\r\n".repeat(before);
        let version = if old { "1.0" } else { "1.1" };
        let mut path = format!("/stream?{more}");
        for (name, values) in [("topic", topics), ("prefix", prefixes)] {
            for value in values {
                path += &format!("&{name}={}", escape(value));
            }
        }
        let request = format!("{health}GET {path} HTTP/{version}\r\nHost: a\r\n\r\n");
        let asks = Asks {
            topics: topics.iter().map(|it| (*it).to_owned()).collect(),
            prefixes: prefixes.iter().map(|it| (*it).to_owned()).collect(),
            all: more.contains("since=all") || more.contains("count="),
            drops: more.contains("slow=drop"),
            ends: more.contains("count=-"),
            may_be_refused: false,
            old,
            before,
            bytes: request.len(),
        };
        let mut steps = vec![Step::Send(request.into_bytes())];
        steps.extend(then);
        Reader {
            ip: IpAddr::from([127, 0, 0, 1]),
            asks,
            shape: None,
            link: None,
            got: Vec::new(),
            finished: false,
            script: Script::new(steps),
        }
    }

    /// Its connection was made.
    pub fn opened(&mut self, world: &mut World, net: &mut Net, link: LinkId) {
        self.link = Some(link);
        self.script.run(world, net, link);
    }

    /// Something came, or (`None`) the script may go on.
    pub fn on(&mut self, world: &mut World, net: &mut Net, link: LinkId, item: Option<Item>) {
        match item {
            Some(Item::Bytes(bytes)) => self.got.extend_from_slice(&bytes),
            Some(Item::Fin) => {
                self.finished = true;
                self.script.stop();
                net.hang_up(world, link);
            }
            Some(Item::Reset) => self.script.stop(),
            None => {}
        }
        self.script.run(world, net, link);
    }

    /// The lines it got, without the keep-alives; of a 1.1 reader without the chunks around them.
    pub fn lines(&self) -> Vec<String> {
        let text = String::from_utf8_lossy(&self.got);
        let (_, body) = text.split_once("\r\n\r\n").unwrap_or_default();
        let lines = body.split("\r\n").filter(|line| line.contains('='));
        lines.map(str::to_owned).collect()
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
