//! Hosts of subscribers and topics: who listens, and who gets which request.
//! They never look at the engine.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::Hub;
use crate::behaviour::Door;
use crate::http::{Kind, Message, Reader};
use crate::net::{Item, LinkId, Net};
use crate::script::{Script, Step};
use crate::world::World;

/// One host.
#[derive(Debug)]
pub struct Host {
    /// Where it listens.
    pub addr: SocketAddr,
    /// When it is not there, and how.
    pub away: Vec<(u64, u64, Door)>,
    /// Who named it may name any address.
    pub local: bool,
    lines: BTreeMap<LinkId, Line>,
}

#[derive(Debug)]
struct Line {
    script: Script,
    reader: Reader,
}

impl Host {
    /// One that is always there.
    pub fn new(addr: SocketAddr) -> Host {
        Host {
            addr,
            away: Vec::new(),
            local: addr.ip().is_ipv4() && addr.to_string().starts_with("10."),
            lines: BTreeMap::new(),
        }
    }

    /// The start of its URLs.
    pub fn base(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// What comes of a connection to it at that time.
    pub fn door(&self, at: u64) -> Door {
        let mut away = self.away.iter();
        let found = away.find(|(from, until, _)| (*from..*until).contains(&at));
        found.map_or(Door::Open, |(_, _, door)| *door)
    }

    /// A connection was made.
    pub fn opened(&mut self, link: LinkId) {
        let line = Line {
            script: Script::new(Vec::new()),
            reader: Reader::new(Kind::Request),
        };
        self.lines.insert(link, line);
    }
}

impl Hub {
    /// Something came to a host, or (`None`) its script may go on.
    pub fn on(
        &mut self,
        world: &mut World,
        net: &mut Net,
        link: LinkId,
        host: usize,
        item: Option<Item>,
    ) {
        let Some(mut line) = self.hosts[host].lines.remove(&link) else {
            return;
        };
        match item {
            Some(Item::Bytes(bytes)) => {
                line.reader.push(&bytes);
                let wrong = |e| panic!("host {host} got no HTTP: {e}");
                while let Some(request) = line.reader.next().unwrap_or_else(wrong) {
                    let steps = self.request(world, host, &request);
                    line.script.extend(steps);
                }
            }
            Some(Item::Fin) => {
                line.script.stop();
                net.hang_up(world, link);
            }
            Some(Item::Reset) => line.script.stop(),
            None => {}
        }
        line.script.run(world, net, link);
        self.hosts[host].lines.insert(link, line);
    }

    fn request(&mut self, world: &mut World, host: usize, request: &Message) -> Vec<Step> {
        let own = self.hosts[host].addr.to_string();
        assert_eq!(request.field("host"), Some(&*own), "{request:?}");
        let agent = request.field("user-agent").unwrap_or("");
        assert!(agent.starts_with("Hookah/"), "User-Agent {agent:?}");
        let path = request.word(1);
        let door = self.hosts[host].door(world.at());
        if door != Door::Open {
            return vec![Step::Reset];
        }
        if let Some(number) = number_behind(path, "/s/") {
            assert_eq!(self.subscribers[number].host, host);
            return self.subscribers[number].answer(world, request);
        }
        let Some(number) = number_behind(path, "/t/") else {
            panic!("nobody named {path}")
        };
        let base = self.hosts[host].base();
        self.topics[number].answer(world, &base, request)
    }
}

/// The number behind a path's beginning.
pub fn number_behind(path: &str, start: &str) -> Option<usize> {
    let rest = path.strip_prefix(start)?;
    let end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    rest[..end].parse().ok()
}
