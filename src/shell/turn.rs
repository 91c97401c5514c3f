//! The loop, one turn after the other: poll, accept, read, tick, store, write, in this order.
//! It knows no protocol: facts go to the engine, intentions come back.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use mio::{Events, Poll, Token};

use super::clock::Clock;
use super::datagrams::{DATAGRAMS_PER_TURN_MAX, Datagrams, Received};
use super::entry::{Entry, Layer, Stage};
use super::gate::turn_away;
use super::greeting::Words;
use super::guard::Guard;
use super::handshakes::Handshakes;
use super::hosts::NameFiles;
use super::listen::Listeners;
use super::notify::Notify;
use super::planted;
use super::signals::Signals;
use super::socket::{Socket, ended};
use super::sockets::Sockets;
use super::tls;
use super::{Failure, READ_BYTES_MAX, Reread};
use crate::base::histogram::Histogram;
use crate::base::slab::Key;
use crate::base::stats::Counter;
use crate::base::time::{Mono, Now, micros};
use crate::engine::Engine;
use crate::port::{Action, Ended};
use crate::store::Store;

/// Events taken from the poll at once; what does not fit comes with the next poll.
const EVENTS_MAX: usize = 1024;
/// The longest sleep. The poll does not count the time that a machine is suspended, deadlines do;
/// with this one they are late by no more.
const SLEEP_MAX: Duration = Duration::from_secs(60);
/// How long nobody is let in while the store says what there was before: usually it is a moment,
/// and then nobody is told to come again. It may be longer after a crash with much left to do.
const OPENING_MAX: Duration = Duration::from_millis(500);
/// Tokens that no key can equal: their low half is above the bound of every slab.
pub(super) const SIGNALS: Token = Token(usize::MAX);
pub(super) const STORE: Token = Token(usize::MAX - 1);
pub(super) const LISTENERS: Token = Token(usize::MAX - 4096);

/// The running server.
pub(super) struct Server {
    poll: Poll,
    clock: Clock,
    /// Counts the turns.
    pub(super) turn: u64,
    /// Read once a turn.
    pub(super) now: Now,
    pub(super) guard: Guard,
    pub(super) sockets: Sockets,
    pub(super) handshakes: Handshakes,
    datagrams: Datagrams,
    name_files: NameFiles,
    /// TLS to targets.
    pub(super) tls: tls::Client,
    /// TLS for clients.
    pub(super) identity: Option<tls::Identity>,
    pub(super) listeners: Listeners,
    signals: Signals,
    /// The file of tokens, if there are any.
    pub(super) tokens: Option<PathBuf>,
    pub(super) reread: Box<dyn Reread>,
    store: Box<dyn Store>,
    /// The one buffer that all reads share; an idle line owns none.
    pub(super) scratch: Box<[u8]>,
    /// Lines that have used up this turn's share of writing.
    pub(super) put_off: Vec<Key>,
    /// Something was handed to the store since its last flush.
    unflushed: bool,
    /// The engine learned something after the writes, so there may be more to write.
    unsettled: bool,
    draining: bool,
    /// What to say once everybody is let in, and when that is at the latest.
    opening: Option<(Mono, Words)>,
    /// What to tell the service manager once another process has released the store.
    taking_over: Option<String>,
    pub(super) notify: Notify,
}

/// What the shell puts together before the first turn.
pub(super) struct Parts {
    pub(super) poll: Poll,
    pub(super) clock: Clock,
    pub(super) now: Now,
    pub(super) engine: Engine,
    pub(super) tls: tls::Client,
    pub(super) identity: Option<tls::Identity>,
    pub(super) listeners: Listeners,
    pub(super) signals: Signals,
    pub(super) tokens: Option<PathBuf>,
    /// Whoever reads the configuration anew.
    pub(super) reread: Box<dyn Reread>,
    pub(super) store: Box<dyn Store>,
    pub(super) notify: Notify,
    /// What to say once everybody is let in.
    pub(super) words: Words,
}

impl Server {
    pub(super) fn new(parts: Parts) -> Server {
        Server {
            poll: parts.poll,
            clock: parts.clock,
            turn: 0,
            now: parts.now,
            guard: Guard::new(parts.engine),
            sockets: Sockets::default(),
            datagrams: Datagrams::default(),
            name_files: NameFiles::of_system(),
            tls: parts.tls,
            identity: parts.identity,
            handshakes: Handshakes::default(),
            listeners: parts.listeners,
            signals: parts.signals,
            tokens: parts.tokens,
            reread: parts.reread,
            store: parts.store,
            scratch: vec![0; READ_BYTES_MAX].into_boxed_slice(),
            put_off: Vec::new(),
            unflushed: false,
            unsettled: false,
            draining: false,
            opening: Some((parts.now.mono + OPENING_MAX, parts.words)),
            taking_over: None,
            notify: parts.notify,
        }
    }

    /// Turns until a drain has come to its end.
    ///
    /// # Errors
    /// The poll fails, or the engine can no longer be trusted.
    pub(super) fn run(mut self) -> Result<(), Failure> {
        let mut events = Events::with_capacity(EVENTS_MAX);
        self.let_in();
        while !(self.draining && self.guard.engine().drained()) {
            self.turn(&mut events)?;
        }
        let left = self.guard.engine().deliveries();
        // Nothing that was handed over may be lost by a clean end.
        self.store.close();
        if let Some(refusal) = self.store.refusal() {
            return Err(Failure::Store(refusal));
        }
        if left > 0 && self.guard.engine().is_volatile() {
            // Only a store in memory forgets them; whoever stopped the server should know.
            log::warn!("drain_left deliveries={left}");
        }
        log::info!("drain_end");
        Ok(())
    }

    fn turn(&mut self, events: &mut Events) -> Result<(), Failure> {
        if let Err(why) = self.poll.poll(events, self.timeout()) {
            if why.kind() != io::ErrorKind::Interrupted {
                return Err(Failure::System {
                    doing: "waiting for events",
                    why,
                });
            }
            events.clear();
        }
        self.turn += 1;
        self.now = self.clock.read();
        self.guard
            .tell(self.now, None, |engine| engine.woke(self.now));
        let caught = self.guard.caught();
        self.note(events);
        self.accept();
        self.act();
        self.read_ready();
        self.read_datagrams();
        self.act();
        self.guard.tell(self.now, None, |engine| {
            engine.tick(self.now);
            planted::amid_tick();
        });
        self.act();
        self.flush();
        self.let_in();
        self.act();
        self.write_dirty();
        self.unsettled = false;
        self.act();
        self.unsettled |= self.guard.caught() != caught;
        self.notify.turns(self.now.mono);
        self.measure();
        if self.guard.is_broken() {
            // What is under way to the disk is sound; only what decides about it is not.
            self.store.close();
            return Err(Failure::Broken);
        }
        self.store
            .refusal()
            .map_or(Ok(()), |refusal| Err(Failure::Store(refusal)))
    }

    /// How long the turn took.
    fn measure(&mut self) {
        let ends = self.clock.mono();
        let took = micros(ends.since(self.now.mono));
        self.guard.tell(self.now, None, |engine| {
            engine.stats_mut().observe(Histogram::Turn, took);
            engine.turned(ends);
        });
    }

    /// Lets everybody in once the store is ready, or has taken long, and says so.
    fn let_in(&mut self) {
        let ready = self.guard.engine().is_ready();
        if ready && let Some(status) = self.taking_over.take() {
            self.notify.status(status);
        }
        let Some((_, words)) = self
            .opening
            .take_if(|(until, _)| ready || *until <= self.now.mono)
        else {
            return;
        };
        // Nobody reading stderr is no reason not to serve.
        let _ = io::stderr().write_all(words.greeting.as_bytes());
        match words.waits.filter(|_| !ready) {
            Some(waits) => {
                self.notify.ready(format!("{}; {waits}", words.status));
                self.taking_over = Some(words.status);
            }
            None => self.notify.ready(words.status),
        }
    }

    /// Until when the poll may sleep; not at all while work is left over.
    fn timeout(&self) -> Option<Duration> {
        let left_over = self.sockets.has_ready()
            || !self.handshakes.is_empty()
            || (self.listeners.has_ready() && self.opening.is_none())
            || self.datagrams.has_ready()
            || !self.put_off.is_empty()
            || self.unflushed
            || self.unsettled;
        if left_over {
            return Some(Duration::ZERO);
        }
        let opening = self.opening.as_ref().map(|(until, _)| *until);
        let wakes = [
            self.guard.engine().next_wake(),
            self.listeners.retry_at(),
            opening,
            self.notify.next(),
        ];
        let wake = wakes.into_iter().flatten().min()?;
        // mio rounds up to whole milliseconds, so that we do not wake before the time.
        Some(wake.since(self.now.mono).min(SLEEP_MAX))
    }

    fn note(&mut self, events: &Events) {
        for event in events {
            if event.token() == SIGNALS {
                self.heed_signals();
            } else if event.token() == STORE {
                // What it has to say is heard once in each turn, after the flush.
            } else if !self.listeners.note(event.token()) && !self.datagrams.note(event.token()) {
                self.sockets.note(event);
            }
        }
    }

    fn heed_signals(&mut self) {
        let asked = self.signals.asked();
        if asked.reload {
            self.reload();
        }
        if asked.stop && !self.draining {
            self.draining = true;
            self.notify.stopping(self.guard.engine().drain_timeout());
            self.guard
                .tell(self.now, None, |engine| engine.drain(self.now));
            // At once, so that the listeners are closed before the accepts of this turn.
            self.act();
        }
    }

    fn accept(&mut self) {
        if self.opening.is_some() {
            return;
        }
        self.listeners.begin_turn(self.now.mono);
        while let Some((socket, visitor)) = self.listeners.accept(self.now.mono) {
            match self
                .guard
                .tell(self.now, None, |engine| engine.opened(self.now, visitor))
            {
                Some(Ok(key)) => {
                    let adopted = self.adopt(key, socket, visitor.secure);
                    self.report(key, adopted);
                }
                Some(Err(refusal)) => turn_away(socket, visitor.secure, &refusal.answer),
                None => {}
            }
        }
        let errors = self.listeners.take_errors();
        if errors > 0 {
            self.guard.tell(self.now, None, |engine| {
                engine.stats_mut().add(Counter::AcceptErrors, errors);
            });
        }
    }

    /// Takes in a client's socket: plain, or with TLS to come.
    fn adopt(&mut self, key: Key, socket: Socket, secure: bool) -> Result<(), Ended> {
        let entry = match &self.identity {
            Some(identity) if secure => {
                let layer = Layer::Tls(Box::new(identity.session()?));
                Entry::new(key, socket, layer, Stage::Securing)
            }
            _ => Entry::new(key, socket, Layer::Plain, Stage::Open),
        };
        let adopted = self.sockets.adopt(self.poll.registry(), entry);
        adopted.map_err(|why| ended(&why))
    }

    /// Does what the engine wants, in its order: a key may be given out again right after `Close`.
    fn act(&mut self) {
        while let Some(action) = self
            .guard
            .tell(self.now, None, Engine::poll_action)
            .flatten()
        {
            match action {
                Action::Connect {
                    key,
                    addr,
                    server_name,
                } => {
                    let begun = self.connect(key, addr, server_name.as_deref());
                    self.report(key, begun);
                }
                Action::Shutdown { key } => self.sockets.shutdown(key),
                Action::Resume { key } => self.sockets.resume(key),
                Action::Close { key } => self.sockets.close(key),
                Action::Ask {
                    key,
                    server,
                    packet,
                } => self.ask(key, server, &packet),
                Action::Forget { key } => self.datagrams.forget(key),
                Action::ReadNames => self.read_names(),
                Action::Store(seq, op) => {
                    self.store.submit(seq, op);
                    self.unflushed = true;
                }
                Action::StopListening => self.listeners.close(self.poll.registry()),
            }
        }
    }

    /// Sends a question to a name server. One that cannot go out is told at once; what the engine
    /// does about it joins the actions under way.
    fn ask(&mut self, key: Key, server: SocketAddr, packet: &[u8]) {
        let registry = self.poll.registry();
        if let Err(why) = self.datagrams.ask(registry, key, server, packet) {
            log::debug!("ask_failed server={server} why={:?}", why.to_string());
            self.unasked(key);
        }
    }

    fn unasked(&mut self, key: Key) {
        self.guard
            .tell(self.now, None, |engine| engine.unasked(self.now, key));
        self.unsettled = true;
    }

    fn read_names(&mut self) {
        let (hosts, resolv) = self.name_files.changed();
        self.guard.tell(self.now, None, |engine| {
            engine.names_conf(self.now, hosts.as_deref(), resolv.as_deref());
        });
        self.unsettled = true;
    }

    fn read_datagrams(&mut self) {
        for _ in 0..DATAGRAMS_PER_TURN_MAX {
            match self.datagrams.receive(&mut self.scratch) {
                Some(Received::Bytes(key, count)) => {
                    let bytes = &self.scratch[..count];
                    self.guard.tell(self.now, None, |engine| {
                        engine.datagram(self.now, key, bytes);
                    });
                }
                Some(Received::Failed(key)) => self.unasked(key),
                None => return,
            }
        }
    }

    fn connect(&mut self, key: Key, addr: SocketAddr, name: Option<&str>) -> Result<(), Ended> {
        let layer = match name {
            Some(name) => Layer::Named(tls::server_name(name)?),
            None => Layer::Plain,
        };
        Socket::connect(addr)
            .map(|socket| Entry::new(key, socket, layer, Stage::Connecting))
            .and_then(|entry| self.sockets.adopt(self.poll.registry(), entry))
            .map_err(|why| ended(&why))
    }

    /// Tells the engine of a line that failed before it had a socket.
    fn report(&mut self, key: Key, begun: Result<(), Ended>) {
        if let Err(why) = begun {
            self.guard.tell(self.now, Some(key), |engine| {
                engine.ended(self.now, key, why)
            });
            self.unsettled = true;
        }
    }

    /// One commit for all that this turn accepted.
    fn flush(&mut self) {
        if std::mem::replace(&mut self.unflushed, false) {
            self.store.flush();
        }
        while let Some(done) = self.store.completion() {
            self.guard
                .tell(self.now, None, |engine| engine.stored(self.now, done));
        }
    }
}
