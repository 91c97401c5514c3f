//! The fake network: links with a scripted peer at the far end and the engine's line at the near.
//! It cuts, delays, blocks and resets; it never reads what it carries.

use std::collections::{BTreeMap, VecDeque};

use hookah::base::slab::Key;

use crate::world::{Event, MS, World};

/// A link's number; never reused.
pub type LinkId = usize;

/// An end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The near end.
    Engine,
    /// The far end.
    Peer,
}

/// What travels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A segment, never empty.
    Bytes(Vec<u8>),
    /// The sender has finished sending.
    Fin,
    /// The connection is gone.
    Reset,
}

/// Who sits at the far end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// The client of that number.
    Client(usize),
    /// A line of the target of that number.
    Target(usize),
    /// A line of the name server of that number.
    NameServer(usize),
    /// The reader of that number.
    Reader(usize),
    /// The hub's host of that number.
    Host(usize),
}

/// How segments are cut.
#[derive(Clone, Copy, Debug)]
pub enum Cut {
    /// As sent.
    Whole,
    /// At random, no longer than this.
    UpTo(u64),
    /// The first so many bytes of each send one at a time, the rest as sent.
    Trickle(usize),
}

/// The temper of a link.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Shortest and longest way across, in microseconds.
    pub delay: (u64, u64),
    /// Both ways.
    pub cut: Cut,
    /// The near kernel's send buffer, in bytes.
    pub window: usize,
    /// How often a write is cut short for no reason, in per cent.
    pub short_percent: u64,
}

impl Shape {
    /// A link that is kind to everybody.
    pub fn calm() -> Shape {
        Shape {
            delay: (100, 300),
            cut: Cut::Whole,
            window: 256 << 10,
            short_percent: 0,
        }
    }

    /// Any temper; never slower than 60 ms across.
    pub fn random(world: &mut World) -> Shape {
        let rng = &mut world.rng;
        let slowest = rng.pick(&[0, 300, 5 * MS, 60 * MS]);
        let any = rng.between(1, 2_000);
        Shape {
            delay: (slowest / 4, slowest),
            cut: rng.pick(&[Cut::Whole, Cut::UpTo(any), Cut::UpTo(40), Cut::Trickle(400)]),
            window: rng.pick(&[1 << 20, 64 << 10, 4_096, 500, 61]),
            short_percent: rng.pick(&[0, 0, 10, 50]),
        }
    }
}

/// One way of a link: what arrived and waits to be read.
#[derive(Debug, Default)]
struct Way {
    latest: u64,
    arrived: VecDeque<Item>,
    /// The sender has sent its last.
    over: bool,
}

/// One connection.
#[derive(Debug)]
pub struct Link {
    /// Who sits at the far end.
    pub peer: Peer,
    /// The engine's name for it, until its `Close`.
    pub key: Option<Key>,
    /// What the near shell knows of it.
    pub near: Near,
    shape: Shape,
    to_engine: Way,
    to_peer: Way,
    space: usize,
    blocked: bool,
    deaf: bool,
    hung_up: bool,
}

/// The shell's column for a line.
#[derive(Debug, Default)]
pub struct Near {
    /// Connected, and the engine knows.
    pub open: bool,
    /// To an address of the target's name at which it does not listen.
    pub astray: bool,
    /// There may be something to read, and an edge has said so.
    pub readable: bool,
    /// Told that the line has finally ended.
    pub ended: bool,
    /// The write side was shut down.
    pub shut: bool,
}

/// All links ever made.
#[derive(Debug, Default)]
pub struct Net {
    links: Vec<Link>,
    live: BTreeMap<u64, LinkId>,
    /// The temper of every link to come; random where there is none.
    pub shape: Option<Shape>,
}

impl Net {
    /// A new link to `peer`, with no key yet.
    pub fn link(&mut self, world: &mut World, peer: Peer) -> LinkId {
        let mut shape = self.shape.unwrap_or_else(|| Shape::random(world));
        if matches!(peer, Peer::Target(_) | Peer::Host(_)) {
            // A narrower one would keep a request's head back until its deadline.
            shape.window = shape.window.max(500);
        }
        self.links.push(Link {
            peer,
            key: None,
            near: Near::default(),
            shape,
            to_engine: Way::default(),
            to_peer: Way::default(),
            space: shape.window,
            blocked: false,
            deaf: false,
            hung_up: false,
        });
        self.links.len() - 1
    }

    /// Gives a link on which nothing has passed another temper.
    pub fn reshape(&mut self, link: LinkId, shape: Shape) {
        (self.links[link].shape, self.links[link].space) = (shape, shape.window);
    }

    /// Gives a link its key.
    pub fn name(&mut self, link: LinkId, key: Key) {
        self.links[link].key = Some(key);
        let before = self.live.insert(key.to_bits(), link);
        assert!(before.is_none(), "key {key:?} handed out while it lives");
    }

    /// The link of a living key.
    pub fn find(&self, key: Key) -> Option<LinkId> {
        self.live.get(&key.to_bits()).copied()
    }

    /// All links that ever were, the oldest first.
    pub fn made(&self) -> impl Iterator<Item = LinkId> + use<> {
        0..self.links.len()
    }

    /// The links whose keys live, in the order of their keys.
    pub fn living(&self) -> impl Iterator<Item = LinkId> + '_ {
        self.live.values().copied()
    }

    /// A link.
    pub fn get(&self, link: LinkId) -> &Link {
        &self.links[link]
    }

    /// The shell's column of a link.
    pub fn near(&mut self, link: LinkId) -> &mut Near {
        &mut self.links[link].near
    }

    /// A way across, in microseconds.
    pub fn delay(&self, world: &mut World, link: LinkId) -> u64 {
        let (low, high) = self.links[link].shape.delay;
        1 + world.rng.between(low, high)
    }

    fn launch(&mut self, world: &mut World, link: LinkId, to: Side, item: Item) {
        let at = world.at() + self.delay(world, link);
        let way = self.way(link, to);
        way.latest = way.latest.max(at);
        let at = way.latest;
        world.schedule(at, Event::Arrive(link, to, item));
    }

    fn launch_bytes(&mut self, world: &mut World, link: LinkId, to: Side, mut bytes: &[u8]) {
        let mut single = match self.links[link].shape.cut {
            Cut::Trickle(first) => first,
            _ => 0,
        };
        while !bytes.is_empty() {
            let most = bytes.len() as u64;
            let length = match self.links[link].shape.cut {
                Cut::UpTo(longest) => world.rng.between(1, longest.min(most)),
                Cut::Trickle(_) if single > 0 => 1,
                _ => most,
            };
            single = single.saturating_sub(1);
            let (segment, rest) = bytes.split_at(length as usize);
            self.launch(world, link, to, Item::Bytes(segment.to_vec()));
            bytes = rest;
        }
    }

    fn way(&mut self, link: LinkId, to: Side) -> &mut Way {
        match to {
            Side::Engine => &mut self.links[link].to_engine,
            Side::Peer => &mut self.links[link].to_peer,
        }
    }

    /// Something came to an end of the link. False if there is nobody any more.
    pub fn arrive(&mut self, world: &mut World, link: LinkId, to: Side, item: Item) -> bool {
        let gone = match to {
            Side::Engine => self.links[link].key.is_none(),
            Side::Peer => self.links[link].hung_up,
        };
        if gone {
            // What comes to a closed socket is answered with a reset (RFC 9293 section 3.5.2).
            if matches!(item, Item::Bytes(_)) {
                self.launch(world, link, other(to), Item::Reset);
            }
            return false;
        }
        if item == Item::Reset && world.rng.chance(50) {
            // A reset may overtake what was not read yet.
            self.way(link, to).arrived.clear();
        }
        self.way(link, to).arrived.push_back(item);
        if to == Side::Engine {
            self.links[link].near.readable = true;
        }
        true
    }
}

/// The far end, for scripts.
impl Net {
    /// Sends bytes to the engine; nothing once the peer has finished.
    pub fn send(&mut self, world: &mut World, link: LinkId, bytes: &[u8]) {
        if !self.links[link].to_engine.over {
            self.launch_bytes(world, link, Side::Engine, bytes);
        }
    }

    /// Finishes sending; reading goes on.
    pub fn finish(&mut self, world: &mut World, link: LinkId) {
        if !std::mem::replace(&mut self.links[link].to_engine.over, true) {
            self.launch(world, link, Side::Engine, Item::Fin);
        }
    }

    /// Closes: finishes, and answers whatever still comes with a reset.
    pub fn hang_up(&mut self, world: &mut World, link: LinkId) {
        self.finish(world, link);
        self.links[link].hung_up = true;
    }

    /// Resets.
    pub fn reset(&mut self, world: &mut World, link: LinkId) {
        self.links[link].to_engine.over = true;
        self.links[link].hung_up = true;
        self.launch(world, link, Side::Engine, Item::Reset);
    }

    /// Whether the peer has closed.
    pub fn has_hung_up(&self, link: LinkId) -> bool {
        self.links[link].hung_up
    }

    /// Stops reading, or goes on.
    pub fn set_deaf(&mut self, world: &mut World, link: LinkId, deaf: bool) {
        self.links[link].deaf = deaf;
        world.after(1, Event::Wake(link));
    }

    /// What the peer reads next, if it reads.
    pub fn take_for_peer(&mut self, world: &mut World, link: LinkId) -> Option<Item> {
        if self.links[link].deaf || self.links[link].hung_up {
            return None;
        }
        let item = self.links[link].to_peer.arrived.pop_front()?;
        if let Item::Bytes(bytes) = &item {
            self.links[link].space += bytes.len();
            if self.links[link].blocked {
                let delay = self.delay(world, link);
                world.after(delay, Event::Space(link));
            }
        }
        Some(item)
    }
}

/// The near end, for the shell.
impl Net {
    /// What comes next; a reset at once where `reset_only`, for then the line is not read.
    pub fn take_for_engine(&mut self, link: LinkId, reset_only: bool) -> Option<Item> {
        let arrived = &mut self.links[link].to_engine.arrived;
        if reset_only {
            if arrived.back() != Some(&Item::Reset) {
                return None;
            }
            arrived.clear();
            return Some(Item::Reset);
        }
        arrived.pop_front()
    }

    /// Whether anything waits to be read.
    pub fn has_arrived(&self, link: LinkId) -> bool {
        !self.links[link].to_engine.arrived.is_empty()
    }

    /// Writes what the kernel takes; less than all means that `Event::Space` follows.
    pub fn write(&mut self, world: &mut World, link: LinkId, bytes: &[u8]) -> usize {
        let line = &self.links[link];
        let mut taken = bytes.len().min(line.space);
        if taken > 1 && world.rng.chance(line.shape.short_percent) {
            taken = world.rng.between(1, taken as u64) as usize;
        }
        self.links[link].space -= taken;
        self.launch_bytes(world, link, Side::Peer, &bytes[..taken]);
        if taken < bytes.len() {
            self.links[link].blocked = true;
            if self.links[link].space > 0 {
                let delay = self.delay(world, link);
                world.after(delay, Event::Space(link));
            }
        }
        taken
    }

    /// Whether a write is waiting for room and now has it; the edge is given once.
    pub fn unblock(&mut self, link: LinkId) -> bool {
        let line = &mut self.links[link];
        line.space > 0 && std::mem::replace(&mut line.blocked, false)
    }

    /// Shuts the write side down.
    pub fn shutdown(&mut self, world: &mut World, link: LinkId) {
        self.links[link].near.shut = true;
        self.links[link].to_peer.over = true;
        self.launch(world, link, Side::Peer, Item::Fin);
    }

    /// The process is gone, and with it the line.
    pub fn cut(&mut self, world: &mut World, link: LinkId) {
        let resets = world.rng.chance(50);
        if resets {
            self.links[link].to_peer.over = true;
            self.launch(world, link, Side::Peer, Item::Reset);
        }
        self.close(world, link);
    }

    /// Closes; what was not read makes it a reset, as on Linux.
    pub fn close(&mut self, world: &mut World, link: LinkId) {
        let line = &mut self.links[link];
        if let Some(key) = line.key.take() {
            self.live.remove(&key.to_bits());
        }
        let unread = line
            .to_engine
            .arrived
            .iter()
            .any(|item| matches!(item, Item::Bytes(_)));
        line.to_engine.arrived.clear();
        let over = std::mem::replace(&mut line.to_peer.over, true);
        if unread {
            self.launch(world, link, Side::Peer, Item::Reset);
        } else if !over {
            self.launch(world, link, Side::Peer, Item::Fin);
        }
    }
}

fn other(side: Side) -> Side {
    match side {
        Side::Engine => Side::Peer,
        Side::Peer => Side::Engine,
    }
}
