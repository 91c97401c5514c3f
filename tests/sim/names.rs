//! The scripted name servers: what each says, what each name is, and whether what they were asked
//! was right. They write their messages by hand, not with the engine's codec.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use hookah::base::slab::Key;

use crate::net::{Item, LinkId, Net};
use crate::rng::Rng;
use crate::world::{Event, MS, SECOND, World};

/// How a server behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Says what there is to say.
    Right,
    /// Takes questions and never answers.
    Silent,
    /// Cannot say.
    Servfail,
    /// Nobody is there, and the network says so.
    Absent,
    /// Has no room for anything in a datagram.
    Cut,
    /// The same, and takes no lines.
    CutAndShut,
}

/// What a name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An address.
    Plain,
    /// The same, behind wrong ids, wrong questions and garbage, and said twice.
    Decoys,
    /// An address behind so many aliases.
    Chain(usize),
    /// Two hundred addresses, of which the first is right.
    Bulk,
    /// Aliases in a circle.
    Loop,
    /// Nothing.
    Missing,
    /// A name without an address.
    Empty,
    /// An answer that comes too late.
    Late,
    /// Nothing but garbage.
    Garbage,
    /// An alias of `localhost`, with an address.
    Localhost,
}

impl Kind {
    /// Whether its address can be found.
    pub fn is_found(self) -> bool {
        matches!(
            self,
            Kind::Plain | Kind::Decoys | Kind::Chain(0..=8) | Kind::Bulk | Kind::Localhost
        )
    }
}

/// A name in the world.
#[derive(Clone, Copy, Debug)]
pub struct Name {
    /// What it is.
    pub kind: Kind,
    /// Its address.
    pub ip: IpAddr,
    /// Seconds that its records may be kept.
    pub ttl: u32,
    /// Questions that were asked about it.
    pub asked: u32,
}

/// All servers and names.
#[derive(Debug, Default)]
pub struct Names {
    /// The servers in the order of resolv.conf; the first is at 10.53.0.0.
    pub servers: Vec<Manner>,
    /// The hosts file.
    pub hosts: String,
    /// Names by what they are called.
    pub zone: BTreeMap<String, Name>,
    /// What some names have for addresses instead, answer by answer; the last for ever.
    pub says: BTreeMap<String, Vec<Vec<IpAddr>>>,
    /// How often each of those was asked for each family.
    answered: BTreeMap<(String, bool), usize>,
    /// Sockets that are open.
    open: BTreeMap<u64, usize>,
    lines: BTreeMap<LinkId, (usize, Vec<u8>)>,
    told: (Option<String>, Option<String>),
}

const PORT: u16 = 53;

impl Names {
    /// Those servers, and no names.
    pub fn of(servers: &[Manner]) -> Names {
        Names {
            servers: servers.to_vec(),
            ..Names::default()
        }
    }

    /// Sound or odd, but such that every name that has an address is found.
    pub fn randomize(&mut self, rng: &mut Rng) {
        let first = [
            Manner::Right,
            Manner::Right,
            Manner::Silent,
            Manner::Servfail,
            Manner::Absent,
            Manner::Cut,
            Manner::CutAndShut,
        ];
        self.servers = vec![rng.pick(&first), rng.pick(&[Manner::Right, Manner::Cut])];
    }

    /// Where a server listens.
    pub fn addr(server: usize) -> SocketAddr {
        SocketAddr::new(IpAddr::from([10, 53, 0, server as u8]), PORT)
    }

    /// The server of that address.
    pub fn whose(&self, addr: SocketAddr) -> Option<usize> {
        (0..self.servers.len()).find(|server| Names::addr(*server) == addr)
    }

    /// Whether a name has that address among its records, if not at first.
    pub fn lists(&self, host: &str, ip: IpAddr) -> bool {
        let says = self.says.get(host);
        if says.is_some_and(|says| says.iter().flatten().any(|said| *said == ip)) {
            return true;
        }
        let bulk = matches!(ip, IpAddr::V4(ip) if ip.octets()[..2] == [10, 99]);
        bulk && self
            .zone
            .get(host)
            .is_some_and(|name| name.kind == Kind::Bulk)
    }

    /// The texts of the files that have changed since they were last read.
    pub fn changed(&mut self) -> (Option<String>, Option<String>) {
        let lines = (0..self.servers.len()).map(|server| {
            let ip = Names::addr(server).ip();
            format!("nameserver {ip}\n")
        });
        let now = (Some(self.hosts.clone()), Some(lines.collect::<String>()));
        let before = std::mem::replace(&mut self.told, now.clone());
        let news = |now: Option<String>, before| if now == before { None } else { now };
        (news(now.0, before.0), news(now.1, before.1))
    }

    /// Nothing may be left open at rest.
    pub fn check_idle(&self) {
        assert!(self.open.is_empty(), "sockets at rest: {:?}", self.open);
    }

    /// A question by datagram.
    pub fn ask(&mut self, world: &mut World, key: Key, to: SocketAddr, packet: &[u8]) {
        let server = self.whose(to);
        let server = server.unwrap_or_else(|| panic!("{to} is no name server"));
        let before = self.open.insert(key.to_bits(), server);
        assert_eq!(before, None, "{key:?} asks twice");
        let manner = self.servers[server];
        let said = self.say(world, manner, packet, false);
        let delay = 1 + world.rng.between(0, 40 * MS);
        if manner == Manner::Absent {
            return world.after(delay, Event::Unasked(key));
        }
        for (late, bytes) in said {
            world.after(delay + late, Event::Datagram(key, bytes));
        }
    }

    /// The socket of a question is dropped.
    pub fn forget(&mut self, key: Key) {
        let server = self.open.remove(&key.to_bits());
        assert!(server.is_some(), "{key:?} was not open");
    }

    /// The process is gone, with its sockets and what it knew.
    pub fn cut(&mut self) {
        self.open.clear();
        self.told = (None, None);
    }

    /// Whether that socket is still open.
    pub fn is_open(&self, key: Key) -> bool {
        self.open.contains_key(&key.to_bits())
    }

    /// Whether a server takes lines.
    pub fn takes_lines(&self, server: usize) -> bool {
        !matches!(self.servers[server], Manner::Absent | Manner::CutAndShut)
    }

    /// Something came on a line to a server.
    pub fn on(
        &mut self,
        world: &mut World,
        net: &mut Net,
        link: LinkId,
        server: usize,
        item: Option<Item>,
    ) {
        match item {
            Some(Item::Bytes(bytes)) => {
                let (_, unread) = self.lines.entry(link).or_insert((server, Vec::new()));
                unread.extend(bytes);
                let Some((len, packet)) = unread.split_first_chunk::<2>() else {
                    return;
                };
                if packet.len() < usize::from(u16::from_be_bytes(*len)) {
                    return;
                }
                let packet = packet.to_vec();
                let manner = self.servers[server];
                let said = self.say(world, manner, &packet, true);
                // What comes late by datagram does not come at all on a line.
                for (_, said) in said.into_iter().filter(|(late, _)| *late == 0) {
                    let mut framed = (said.len() as u16).to_be_bytes().to_vec();
                    framed.extend(said);
                    net.send(world, link, &framed);
                }
            }
            Some(Item::Fin) => net.hang_up(world, link),
            Some(Item::Reset) | None => {}
        }
    }

    /// The addresses that a name says this time, if not its own.
    fn addresses(&mut self, asked: &Asked<'_>) -> Option<Vec<IpAddr>> {
        let says = self.says.get(&asked.name)?;
        let key = (asked.name.clone(), asked.six);
        let count = self.answered.entry(key).or_default();
        *count += 1;
        says.get(*count - 1).or(says.last()).cloned()
    }

    /// What a server says to a question, each after so much time.
    fn say(
        &mut self,
        world: &mut World,
        manner: Manner,
        packet: &[u8],
        line: bool,
    ) -> Vec<(u64, Vec<u8>)> {
        let asked = Asked::read(packet);
        let name = self.zone.get_mut(&asked.name);
        if let Some(name) = name {
            name.asked += 1;
        }
        let name = self.zone.get(&asked.name).copied();
        let said = self.addresses(&asked);
        let good = answer(&asked, name, said.as_deref());
        match manner {
            Manner::Right => {}
            Manner::Silent | Manner::Absent => return Vec::new(),
            Manner::Servfail => return vec![(0, asked.reply(2, 0, &[]))],
            Manner::Cut | Manner::CutAndShut if !line => {
                return vec![(0, asked.reply(0x0200, 0, &[]))];
            }
            Manner::Cut | Manner::CutAndShut => {}
        }
        match name.map(|name| name.kind) {
            Some(Kind::Garbage) => vec![(0, garbage(world))],
            Some(Kind::Late) => vec![(6 * SECOND, good)],
            Some(Kind::Decoys) if !line => {
                let (mut id, mut question) = (good.clone(), good.clone());
                id[1] ^= 0x55;
                question[13] ^= 1;
                let mut all = vec![id, question, garbage(world), good.clone(), good];
                all.insert(1, packet.to_vec());
                all.into_iter().map(|bytes| (0, bytes)).collect()
            }
            _ => vec![(0, good)],
        }
    }
}

fn garbage(world: &mut World) -> Vec<u8> {
    let len = world.rng.between(0, 80);
    (0..len).map(|_| world.rng.bits() as u8).collect()
}

/// A question as it came.
struct Asked<'p> {
    packet: &'p [u8],
    name: String,
    six: bool,
}

impl<'p> Asked<'p> {
    /// Reads a question, which has to be exactly what a stub resolver asks.
    fn read(packet: &'p [u8]) -> Asked<'p> {
        assert_eq!(packet[2..12], [1, 0, 0, 1, 0, 0, 0, 0, 0, 0], "{packet:?}");
        let (mut labels, mut rest) = (Vec::new(), &packet[12..]);
        while let Some((len, after)) = rest.split_first().filter(|(len, _)| **len > 0) {
            let (label, after) = after.split_at(usize::from(*len));
            labels.push(String::from_utf8(label.to_vec()).expect("ASCII"));
            rest = after;
        }
        let six = match rest {
            [0, 0, 1, 0, 1] => false,
            [0, 0, 28, 0, 1] => true,
            _ => panic!("neither A nor AAAA: {packet:?}"),
        };
        let name = labels.join(".");
        Asked { packet, name, six }
    }

    /// An answer with these flags beside the usual ones.
    fn reply(&self, flags: u16, answers: u16, records: &[u8]) -> Vec<u8> {
        let mut bytes = self.packet.to_vec();
        bytes[2..4].copy_from_slice(&(0x8180 | flags).to_be_bytes());
        bytes[6..8].copy_from_slice(&answers.to_be_bytes());
        bytes.extend_from_slice(records);
        bytes
    }
}

/// The right answer about a name, with its own address or those that it says instead.
fn answer(asked: &Asked<'_>, name: Option<Name>, says: Option<&[IpAddr]>) -> Vec<u8> {
    let Some(name) = name.filter(|name| name.kind != Kind::Missing) else {
        return asked.reply(3, 0, &[]);
    };
    let (mut records, mut count) = (Vec::new(), 0);
    let alias = |number: usize| match number {
        0 => asked.name.clone(),
        _ if name.kind == Kind::Localhost => "localhost".to_owned(),
        number => format!("alias{number}.test"),
    };
    let mut push = |owner: &str, kind: u16, data: &[u8]| {
        records.extend(wire(owner));
        records.extend_from_slice(&[kind.to_be_bytes(), [0, 1]].concat());
        records.extend_from_slice(&name.ttl.to_be_bytes());
        records.extend_from_slice(&(data.len() as u16).to_be_bytes());
        records.extend_from_slice(data);
        count += 1;
    };
    let length = match name.kind {
        Kind::Chain(length) => length,
        Kind::Loop => 3,
        Kind::Localhost => 1,
        _ => 0,
    };
    for number in 0..length {
        push(&alias(number), 5, &wire(&alias(number + 1)));
    }
    let last = alias(length);
    if name.kind == Kind::Loop {
        push(&last, 5, &wire(&alias(0)));
    }
    let none = matches!(name.kind, Kind::Loop | Kind::Empty);
    let own = [name.ip];
    for ip in says.unwrap_or(&own).iter().filter(|_| !none) {
        match ip {
            IpAddr::V4(ip) if !asked.six => push(&last, 1, &ip.octets()),
            IpAddr::V6(ip) if asked.six => push(&last, 28, &ip.octets()),
            _ => {}
        }
    }
    if name.kind == Kind::Bulk && !asked.six {
        (1..200).for_each(|other| push(&last, 1, &[10, 99, 0, other]));
    }
    asked.reply(0, count, &records)
}

fn wire(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.') {
        bytes.push(label.len() as u8);
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.push(0);
    bytes
}
