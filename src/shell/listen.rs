//! The listeners: taking connections in, a bounded number a turn, and living on when descriptors
//! run out. It never decides whether a connection is welcome; the engine does.

use std::fs::File;
use std::io;
use std::time::Duration;

use mio::{Registry, Token};

use super::gate::{Gate, Listen, Place, Terms, turn_away};
use super::inherit::Given;
use super::socket::Socket;
use crate::base::time::Mono;
use crate::model::Visitor;

/// Connections taken in per turn, over all listeners.
const ACCEPTS_MAX: u32 = 64;
/// After accept failed for want of something: no edge comes for who waits already, so look again.
const RETRY: Duration = Duration::from_millis(100);
/// What a connection gets that no descriptor is left for.
const BUSY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 24\r\nRetry-After: 1\r\nConnection: close\r\n\r\n503 Too many connections";

#[derive(Debug)]
struct Listener {
    gate: Gate,
    /// An edge came, and `accept` has not yet said that nobody waits.
    ready: bool,
    /// It failed, and is looked at again when the retry is due.
    resting: bool,
}

/// All listeners of the server.
#[derive(Debug)]
pub(super) struct Listeners {
    list: Vec<Listener>,
    first_token: usize,
    /// Where the round goes on, so that no listener starves another.
    turn: usize,
    left: u32,
    /// A descriptor held back, to be given up for the moment that a refusal takes.
    spare: Option<File>,
    retry_at: Option<Mono>,
    /// Refused since descriptors ran out; `Some` while they have.
    shed: Option<u64>,
    /// Failures to accept that nobody has counted yet.
    errors: u64,
}

impl Listeners {
    /// Registers all of them, at consecutive tokens from `first_token`: those that another has
    /// opened, and then those that are bound here.
    ///
    /// # Errors
    /// The address that cannot be listened on, and why.
    pub(super) fn bind(
        registry: &Registry,
        first_token: Token,
        given: Vec<Given>,
        wanted: &[Listen],
        terms: Terms,
    ) -> Result<Listeners, (Listen, io::Error)> {
        let given = given.into_iter().map(|given| {
            let at = given.at.clone();
            (at, Gate::inherit(given, terms))
        });
        let opened = wanted.iter().map(|at| (at.clone(), Gate::open(at, terms)));
        let mut list = Vec::with_capacity(wanted.len());
        for (place, (at, gate)) in given.chain(opened).enumerate() {
            let token = Token(first_token.0 + place);
            let gate = gate.and_then(|mut gate| {
                gate.register(registry, token)?;
                Ok(gate)
            });
            let gate = gate.map_err(|why| (at, why))?;
            list.push(Listener {
                gate,
                ready: false,
                resting: false,
            });
        }
        Ok(Listeners {
            list,
            first_token: first_token.0,
            turn: 0,
            left: 0,
            spare: spare(),
            retry_at: None,
            shed: None,
            errors: 0,
        })
    }

    /// Where they listen, with the ports that the system chose.
    pub(super) fn places(&self) -> impl Iterator<Item = Place> {
        self.list
            .iter()
            .filter_map(|listener| listener.gate.place())
    }

    /// Goes by another bound on the silence of the connections that are yet to come.
    pub(super) fn allow_silence(&self, silence: Duration) {
        for Listener { gate, .. } in &self.list {
            if let Err(why) = gate.allow_silence(silence) {
                log::warn!("listener_not_told why={:?}", why.to_string());
            }
        }
    }

    /// Notes an edge. False if the token is none of ours.
    pub(super) fn note(&mut self, token: Token) -> bool {
        let place = token.0.checked_sub(self.first_token);
        let listener = place.and_then(|place| self.list.get_mut(place));
        listener.map(|listener| listener.ready = true).is_some()
    }

    /// A new turn: as many accepts as a turn may have, and the retry if it is due.
    pub(super) fn begin_turn(&mut self, now: Mono) {
        self.left = ACCEPTS_MAX;
        if self.retry_at.is_some_and(|at| at <= now) {
            self.retry_at = None;
            for listener in &mut self.list {
                listener.ready |= std::mem::replace(&mut listener.resting, false);
            }
        }
    }

    /// The next connection, listener after listener; `None` when nobody waits or the turn has had
    /// its share.
    pub(super) fn accept(&mut self, now: Mono) -> Option<(Socket, Visitor)> {
        while self.left > 0 {
            let place = self.next_ready()?;
            self.left -= 1;
            match self.list[place].gate.accept() {
                Ok(taken) => {
                    self.recovered();
                    return Some(taken);
                }
                Err(why) => self.failed(place, now, &why),
            }
        }
        None
    }

    /// Failures to accept since this was last asked.
    pub(super) fn take_errors(&mut self) -> u64 {
        std::mem::take(&mut self.errors)
    }

    /// Whether connections may be waiting that this turn had no share left for.
    pub(super) fn has_ready(&self) -> bool {
        self.list.iter().any(|listener| listener.ready)
    }

    /// When a failed accept is tried again.
    pub(super) fn retry_at(&self) -> Option<Mono> {
        self.retry_at
    }

    /// Closes all of them: from now on the kernel refuses, unless another process has the same
    /// socket; then whoever comes waits for that one.
    pub(super) fn close(&mut self, registry: &Registry) {
        for mut listener in self.list.drain(..) {
            if let Err(why) = listener.gate.deregister(registry) {
                log::warn!("listener_left why={:?}", why.to_string());
            }
        }
        self.retry_at = None;
    }

    fn next_ready(&mut self) -> Option<usize> {
        let count = self.list.len();
        let from = self.turn;
        let place = (0..count)
            .map(|step| (from + step) % count)
            .find(|at| self.list[*at].ready)?;
        self.turn = place + 1;
        Some(place)
    }

    fn failed(&mut self, place: usize, now: Mono, why: &io::Error) {
        let code = why.raw_os_error();
        self.errors += u64::from(code != Some(libc::EAGAIN));
        match code {
            Some(libc::EAGAIN) => self.list[place].ready = false,
            Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM) => {
                self.exhausted(place, now, why);
            }
            // Trouble of that one connection, which is gone with it (accept(2), "Error handling").
            Some(
                libc::ECONNABORTED
                | libc::EINTR
                | libc::EPERM
                | libc::EPROTO
                | libc::ENOPROTOOPT
                | libc::ENETDOWN
                | libc::ENETUNREACH
                | libc::EHOSTDOWN
                | libc::EHOSTUNREACH
                | libc::EOPNOTSUPP
                | libc::ETIMEDOUT,
            ) => {}
            _ => {
                log::error!("accept_failed why={:?}", why.to_string());
                self.rest(place, now);
            }
        }
    }

    /// Nothing is left to hold a connection with: whoever waits gets a short answer by way of the
    /// spare descriptor, at most a turn's share each time the retry comes round.
    fn exhausted(&mut self, place: usize, now: Mono, why: &io::Error) {
        if self.shed.is_none() {
            log::warn!("accept_exhausted why={:?}", why.to_string());
        }
        let shed = self.shed.get_or_insert(0);
        self.spare = None;
        let accepted = self.list[place].gate.accept();
        let drained = matches!(&accepted, Err(why) if why.kind() == io::ErrorKind::WouldBlock);
        let failed = accepted.is_err() && !drained;
        if let Ok((socket, visitor)) = accepted {
            *shed += 1;
            turn_away(socket, visitor.secure, BUSY);
        }
        self.spare = spare();
        if drained {
            self.list[place].ready = false;
        } else if failed || self.left == 0 {
            self.rest(place, now);
        }
    }

    fn recovered(&mut self) {
        if let Some(shed) = self.shed.take() {
            log::warn!("accept_recovered refused={shed}");
        }
    }

    fn rest(&mut self, place: usize, now: Mono) {
        self.list[place].ready = false;
        self.list[place].resting = true;
        self.retry_at.get_or_insert(now + RETRY);
    }
}

fn spare() -> Option<File> {
    File::open("/dev/null").ok()
}

#[cfg(test)]
mod tests;
