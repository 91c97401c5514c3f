//! Clients that come by a door with TLS: how their handshakes go, and whether the engine waits for
//! them as long as it should. It sees no byte; TLS itself is tested over real sockets.

use std::collections::BTreeMap;

use crate::net::{LinkId, Peer};
use crate::rng::Rng;
use crate::sim::Sim;
use crate::world::{Event, MS, SECOND, World};
use hookah::base::slab::Key;
use hookah::port::Ended;

/// How long the engine waits for a handshake.
const DEADLINE: u64 = 5 * SECOND;
/// What a loop that is late and a wheel that is coarse may add.
const LATE_MAX: u64 = 20 * MS;

/// How a handshake goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handshake {
    /// It succeeds after so long.
    Succeeds(u64),
    /// It fails after so long.
    Fails(u64),
    /// Nobody says anything.
    Never,
}

impl Handshake {
    /// One that succeeds in time.
    pub fn good(rng: &mut Rng) -> Handshake {
        let longest = rng.pick(&[50 * MS, 4_900 * MS]);
        Handshake::Succeeds(rng.between(0, longest))
    }

    /// One that comes to nothing.
    pub fn bad(rng: &mut Rng) -> Handshake {
        let late = rng.between(5_100 * MS, 9 * SECOND);
        let fails = rng.between(0, 4_900 * MS);
        rng.pick(&[
            Handshake::Never,
            Handshake::Fails(fails),
            Handshake::Succeeds(late),
        ])
    }
}

/// Handshakes under way, and when they began.
#[derive(Debug, Default)]
pub struct Doors {
    under_way: BTreeMap<LinkId, (u64, Handshake)>,
    /// Lines whose handshake was too late, or none.
    pub timed_out: u64,
}

impl Doors {
    /// A line is closed; if its handshake was under way, then because its time was up. The time for
    /// which the process stood still is nobody's (and is given once more, at most).
    pub fn closed(&mut self, world: &World, link: LinkId, draining: bool) {
        let Some((since, how)) = self.under_way.remove(&link) else {
            return;
        };
        if matches!(how, Handshake::Fails(after) if after < DEADLINE) || draining {
            return;
        }
        let waited = world.at() - since;
        let latest = DEADLINE + LATE_MAX + 2 * world.stopped;
        assert!(
            (DEADLINE..latest).contains(&waited),
            "a handshake ({how:?}) was waited for {waited} microseconds"
        );
        self.timed_out += 1;
    }

    /// The process is gone, and all lines with it.
    pub fn crashed(&mut self) {
        self.under_way.clear();
    }
}

impl Sim {
    /// How the handshake of whoever sits at that link goes; `None` without TLS.
    pub(crate) fn handshake_of(&self, link: LinkId) -> Option<Handshake> {
        match self.net.get(link).peer {
            Peer::Client(client) => self.clients[client].handshake,
            Peer::Reader(reader) => self.readers[reader].handshake,
            _ => None,
        }
    }

    /// A line was taken in: it is good at once, or its handshake begins.
    pub(crate) fn taken_in(&mut self, link: LinkId, key: Key) {
        self.world.note("opened", key.to_bits(), 0);
        self.net.name(link, key);
        let Some(how) = self.handshake_of(link) else {
            return self.let_in(link);
        };
        let began = (self.world.at(), how);
        self.doors.under_way.insert(link, began);
        match how {
            Handshake::Succeeds(after) | Handshake::Fails(after) => {
                self.world.after(after, Event::Shaken(link));
            }
            Handshake::Never => {}
        }
    }

    /// The handshake on that link has come to its end, if the line is still there.
    pub(crate) fn shaken(&mut self, link: LinkId) {
        let Some(key) = self.net.get(link).key else {
            return;
        };
        if !self.doors.under_way.contains_key(&link) {
            return;
        }
        if let Some(Handshake::Fails(_)) = self.handshake_of(link) {
            self.tell_ended(link, key, Ended::Tls("tls_not_tls"));
        } else {
            self.doors.under_way.remove(&link);
            self.world.note("secured", key.to_bits(), 0);
            self.let_in(link);
            self.engine.connected(self.world.told(), key);
        }
        self.perform();
    }

    /// Whoever sits at that link may speak now.
    fn let_in(&mut self, link: LinkId) {
        self.net.near(link).open = true;
        match self.net.get(link).peer {
            Peer::Client(client) => {
                self.clients[client].opened(&mut self.world, &mut self.net, link);
            }
            Peer::Reader(reader) => {
                let reader = &mut self.readers[reader];
                let feeds = &mut self.oracle.feeds;
                feeds.opened(link, self.world.at(), &reader.asks);
                reader.opened(&mut self.world, &mut self.net, link);
            }
            _ => {}
        }
    }
}
