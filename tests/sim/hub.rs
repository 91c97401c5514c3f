//! The hub's world: hosts with subscribers and topics on them, who asks for what, and the book that
//! judges. It looks at the engine only through the wire.

pub mod asks;
pub mod book;
pub mod hosts;
pub mod notices;
pub mod origin;
pub mod random;
mod stories;
mod stories_asks;
mod stories_crash;
pub mod subscriber;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use asks::Ask;
use book::Book;
use hookah::hub::settings::{Leases, TopicRule};
use hosts::Host;
use origin::Topic;
use subscriber::Subscriber;

use crate::asks::escape;

/// What the hub calls itself.
pub const PUBLIC_URL: &str = "http://hub.sim";

/// All of it.
#[derive(Debug)]
pub struct Hub {
    /// Where subscribers and topics live, by number.
    pub hosts: Vec<Host>,
    /// Subscribers, by number.
    pub subscribers: Vec<Subscriber>,
    /// Topics, by number.
    pub topics: Vec<Topic>,
    /// Requests to the hub, by number.
    pub asks: Vec<Ask>,
    /// What is known.
    pub book: Book,
    /// Bounds of leases, as the engine was told.
    pub leases: Leases,
    /// A message or a fetch may be lost, for memory, lines or the store are scarce.
    pub lossy: bool,
}

impl Hub {
    /// Nobody is there.
    pub fn new(leases: Leases) -> Hub {
        Hub {
            hosts: Vec::new(),
            subscribers: Vec::new(),
            topics: Vec::new(),
            asks: Vec::new(),
            book: Book::default(),
            leases,
            lossy: false,
        }
    }

    /// A further host, on the internet or on this machine's network; its number.
    pub fn host(&mut self, public: bool) -> usize {
        let number = self.hosts.len();
        let net = if public { [93, 184] } else { [10, 2] };
        let ip = IpAddr::from([net[0], net[1], 2, number as u8]);
        self.hosts
            .push(Host::new(SocketAddr::new(ip, 9_000 + number as u16)));
        number
    }

    /// Rules that mean all topics on the first hosts.
    pub fn diff_rules() -> Vec<TopicRule> {
        let hosts = (0..8).flat_map(|host| [format!("93.184.2.{host}"), format!("10.2.2.{host}")]);
        hosts.filter_map(|host| TopicRule::parse(&host)).collect()
    }

    /// A further topic on a host; its number.
    pub fn topic(&mut self, host: usize) -> usize {
        let number = self.topics.len();
        let url = format!("{}/t/{number}", self.hosts[host].base());
        self.topics.push(Topic::new(number, Some(host), url));
        number
    }

    /// A further topic that is nothing but a name; its number.
    pub fn name(&mut self) -> usize {
        let number = self.topics.len();
        self.topics
            .push(Topic::new(number, None, format!("orders.{number}")));
        number
    }

    /// A further subscriber of a topic on a host; its number.
    pub fn subscriber(&mut self, host: usize, topic: usize) -> usize {
        let number = self.subscribers.len();
        let base = self.hosts[host].base();
        let path = format!("/s/{number}");
        let spelling = self.topics[topic].key.clone();
        self.subscribers
            .push(Subscriber::new(host, topic, spelling, base, path));
        number
    }

    /// The host of that address.
    pub fn whose(&self, addr: SocketAddr) -> Option<usize> {
        self.hosts.iter().position(|host| host.addr == addr)
    }

    /// The seconds that are granted to whoever asks for so many (hub.md C8).
    pub fn granted(&self, asked: Option<u64>) -> u64 {
        let Leases { default, min, max } = self.leases;
        let asked = asked.map_or(default, Duration::from_secs);
        asked.clamp(min, max).as_secs()
    }
}

/// One name and value of a form.
pub fn pair(name: &str, value: &str) -> String {
    format!("{name}={}", escape(value))
}

/// A query's parameters, decoded.
pub fn parameters(query: &str) -> Vec<(String, String)> {
    let pairs = query
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match (byte, rest.split_at_checked(2)) {
            (b'%', Some((digits, after))) => {
                let digits = std::str::from_utf8(digits).expect("digits");
                bytes.push(u8::from_str_radix(digits, 16).expect("digits"));
                rest = after;
            }
            (b'+', _) => bytes.push(b' '),
            (byte, _) => bytes.push(*byte),
        }
    }
    String::from_utf8(bytes).expect("text")
}
