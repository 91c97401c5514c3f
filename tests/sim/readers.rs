//! The scripted readers of streams: what they ask, how they read, when they go.
//! They keep every byte they get and judge nothing but that it is what was written.

use std::net::IpAddr;

use crate::asks::{Asks, Way};
use crate::chunks::{Chunks, Part};
use crate::doors::Handshake;
use crate::ear::{Got, Unit, What};
use crate::net::{Item, LinkId, Net, Shape};
use crate::script::{Script, Step};
use crate::world::World;

/// One reader.
#[derive(Debug)]
pub struct Reader {
    /// Where it connects from.
    pub ip: IpAddr,
    /// How its handshake goes, if it comes by a door with TLS.
    pub handshake: Option<Handshake>,
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
    /// When it comes again, how it says where it was, and what it does then.
    pub visits: Vec<(u64, Way, Vec<Step>)>,
    /// The last message of an earlier visit.
    last: Option<String>,
    script: Script,
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
        Reader::asking(Asks::of(topics, prefixes, more, (old, before)), then)
    }

    /// One that asks that.
    pub fn asking(asks: Asks, then: Vec<Step>) -> Reader {
        let mut steps = vec![Step::Send(asks.request().into_bytes())];
        steps.extend(then);
        Reader {
            ip: IpAddr::from([127, 0, 0, 1]),
            handshake: None,
            asks,
            shape: None,
            link: None,
            got: Vec::new(),
            finished: false,
            visits: Vec::new(),
            last: None,
            script: Script::new(steps),
        }
    }

    /// The same with a token in its query.
    pub fn showing(&mut self, secret: &str) {
        let before = self.asks.request();
        self.asks.show(secret);
        let request = self.asks.request().into_bytes();
        self.script.instead(before.as_bytes(), request);
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
            Some(Item::Reset) => {
                self.script.stop();
                net.hang_up(world, link);
            }
            None => {}
        }
        self.script.run(world, net, link);
    }

    /// The next visit, if there is one: after what time, and by whom.
    pub fn again(&mut self) -> Option<(u64, Reader)> {
        let (delay, way, steps) = self.visits.pop()?;
        let got = self.messages();
        let last = got.last().and_then(|got| got.id.clone());
        if let (Some(before), Some(first)) = (&self.last, got.first()) {
            let behind = first.id.as_ref().is_none_or(|first| first > before);
            assert!(behind, "{first:?} once more behind {before}");
        }
        let last = last.or(self.last.clone());
        let mut next = Reader::asking(self.asks.again(last.as_deref(), way), steps);
        (next.ip, next.shape, next.last) = (self.ip, self.shape, last);
        next.visits = std::mem::take(&mut self.visits);
        Some((delay, next))
    }

    /// The units of the stream that it got whole.
    pub fn units(&self) -> Vec<Unit> {
        let mut chunks = Chunks::new(&self.asks);
        let parts = self
            .got
            .iter()
            .map(|byte| chunks.push(*byte).expect("HTTP"));
        let unit = |part| match part {
            Some(Part::Unit(unit)) => Some(unit),
            _ => None,
        };
        parts.filter_map(unit).collect()
    }

    /// The messages that it got whole.
    pub fn messages(&self) -> Vec<Got> {
        let message = |unit: Unit| match unit.what {
            What::Message(got) => Some(got),
            _ => None,
        };
        self.units().into_iter().filter_map(message).collect()
    }

    /// The lines it got, without the keep-alives; of a 1.1 reader without the chunks around them.
    pub fn lines(&self) -> Vec<String> {
        let text = String::from_utf8_lossy(&self.got);
        let (_, body) = text.split_once("\r\n\r\n").unwrap_or_default();
        let lines = body.split("\r\n").filter(|line| line.contains('='));
        lines.map(str::to_owned).collect()
    }
}
