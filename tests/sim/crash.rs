//! The end of a process at any moment, and the beginning of the next: the engine is gone, its lines
//! are cut, and only what the store kept is told to the new one. `lasting` says what must hold.

use std::sync::Arc;
use std::time::Duration;

use hookah::base::frame::Frame;
use hookah::base::time::Wall;
use hookah::engine::Engine;
use hookah::model::record::{Place, Work};
use hookah::model::{Message, MessageId, Method, TopicNames};
use hookah::port::StoreOp;

use crate::net::Peer;
use crate::setup;
use crate::shell::PHASES;
use crate::sim::Sim;
use crate::world::{Event, HOUR, MINUTE, MS, SECOND};

impl Sim {
    /// The process is killed soon: where it works, and not where it waits.
    pub(crate) fn light(&mut self) {
        if self.is_down {
            return;
        }
        let turns = self.world.rng.pick(&[0, 3, 30]);
        let turns = self.world.rng.between(0, turns);
        let phase = self.world.rng.between(0, PHASES - 1);
        self.fuse = Some((turns, phase));
    }

    /// Whether the process ends here.
    pub(crate) fn burns(&mut self, phase: u64) -> bool {
        match &mut self.fuse {
            Some((0, last)) if *last == phase => {}
            Some((turns, _)) => {
                *turns = turns.saturating_sub(u64::from(phase == 0));
                return false;
            }
            None => return false,
        }
        self.crash();
        true
    }

    /// The process is killed, and started again after any time.
    pub fn crash(&mut self) {
        let longest = self.world.rng.pick(&[0, SECOND, MINUTE]);
        let down = MS + self.world.rng.between(0, longest);
        self.kill(down);
    }

    /// The process is killed, and started again after so long.
    pub fn kill(&mut self, down: u64) {
        self.world.note("crash", 0, 0);
        self.doors.crashed();
        self.store.crash(&mut self.world);
        self.gone();
        self.world.after(down, Event::Start);
    }

    /// The process has drained and ends in good order.
    pub(crate) fn exit(&mut self) {
        self.world.note("exit", 0, 0);
        self.store.close(&mut self.world);
        self.gone();
        self.world.after(SECOND, Event::Start);
    }

    fn gone(&mut self) {
        self.fuse = None;
        self.oracle.draining = false;
        self.is_down = true;
        self.again = false;
        // Whoever has come gets no answer any more, even if its line's end is still on the way.
        for link in self.net.made().filter(|link| !self.callers.contains(link)) {
            if let Peer::Client(client) = self.net.get(link).peer {
                self.clients[client].lossy = true;
            }
        }
        for link in self.net.living().collect::<Vec<_>>() {
            self.oracle.line_closed(&self.world, link);
            self.hub.line_closed(link);
            self.net.cut(&mut self.world, link);
        }
        for link in self.callers.drain(..).collect::<Vec<_>>() {
            let event = match self.net.get(link).peer {
                Peer::Client(client) => Event::Open(client),
                Peer::Reader(reader) => Event::Join(reader),
                _ => continue,
            };
            self.world.after(SECOND, event);
        }
        self.resolved.clear();
        self.names.cut();
        self.oracle.crashed(&self.world, &self.store.book);
    }

    /// A new process begins, with clocks of its own.
    pub(crate) fn start(&mut self) {
        let year = 8_766 * HOUR as i64;
        if self.oracle.leaps {
            let by = self
                .world
                .rng
                .pick(&[0, HOUR as i64, -(HOUR as i64), year, -year]);
            self.leap(by);
        }
        let mono = self.world.rng.between(0, 1_000_000 * SECOND);
        self.world.begin(mono);
        self.world.note("start", 0, mono);
        let seed = self.world.rng.entropy();
        self.engine = Engine::new(self.settings.clone(), seed, self.world.told());
        self.engine.listening(&[setup::OWN]);
        self.is_down = false;
        self.listening = true;
        let backlog = setup::backlog_of(&self.settings);
        self.store.start(&mut self.world, backlog);
        if self.more_crashes > 0 && self.world.rng.chance(30) {
            self.more_crashes -= 1;
            self.light();
        }
    }

    /// An order is on the disk, since long ago, as if a process before had taken it in; due then.
    pub fn stock(&mut self, order: usize, due: Wall) {
        let placed = &self.orders[order];
        let url = format!("{}{}", placed.base, placed.hook());
        let target = hookah::http::target::parse(&url).expect("a target");
        let accepted = Wall(due.0 - placed.delay);
        let id = MessageId::next(self.stocked, accepted, self.world.rng.bits().into());
        self.stocked = id;
        let body = Frame::copy_of(&placed.payload().expect("a payload"));
        let message = Arc::new(Message {
            id,
            accepted,
            content_type: "application/x.anything".into(),
            body,
            topics: TopicNames::default(),
            method: Method::Post,
            hops: 0,
            extra: None,
        });
        let lane = target.lane;
        let work = Work {
            id,
            number: 1,
            target: Arc::new(target),
            place: Place {
                lane,
                rank: due.0,
                due,
                parked: false,
            },
            expires: due + Duration::from_secs(4 * 24 * 3_600),
            attempts: 0,
            subscription: 0,
        };
        let promised = false;
        for op in [StoreOp::Accept { message, promised }, StoreOp::Work(work)] {
            self.store.book.apply(self.world.now.wall, op);
        }
        self.oracle.stocked(&self.world, order, id);
    }

    /// While nobody looked the wall clock was set.
    pub fn leap(&mut self, by: i64) {
        let wall = &mut self.world.now.wall.0;
        *wall = wall.saturating_add_signed(by);
        self.oracle.leapt |= by != 0;
        self.world.leapt |= by != 0;
        self.world.note("leap", 0, by as u64);
    }
}
