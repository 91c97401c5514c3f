//! Name servers: what the shell hears of them goes to the resolver, what it cannot ask by datagram
//! goes out on a line. It knows no name and no address.

use std::net::IpAddr;
use std::sync::Arc;

use super::Engine;
use super::callers::caller;
use crate::base::slab::Key;
use crate::base::stats::Counter;
use crate::base::time::Now;
use crate::conn::names::{Heard, TcpQuery};
use crate::conn::{Conn, Line};
use crate::courier::dns::Lookup;
use crate::model::{Ending, Fault, Owner};
use crate::port::Action;

/// Where a call that needs a new line can go.
#[derive(Debug)]
pub(super) enum Route {
    /// To the addresses of its target's name, or to the target's own.
    To(Option<Arc<[IpAddr]>>),
    /// The name is being looked up: the lane waits.
    Asked,
    /// The name has no address, in one word.
    Nowhere(&'static str),
}

/// The ending of an attempt that had nowhere to connect to.
pub(super) fn nowhere(detail: &'static str) -> Ending {
    let fault = Fault::Dns;
    Ending::Fault { fault, detail }
}

impl Engine {
    /// A datagram came in for an `Ask`.
    pub fn datagram(&mut self, now: Now, key: Key, bytes: &[u8]) {
        self.turn.now = now;
        self.turn.stats.add(Counter::BytesIn, bytes.len() as u64);
        self.courier.names.datagram(&mut self.turn, key, bytes);
        self.run_lanes();
    }

    /// The socket of an `Ask` has failed, or there is none.
    pub fn unasked(&mut self, now: Now, key: Key) {
        self.turn.now = now;
        self.courier.names.unasked(&mut self.turn, key);
        self.run_lanes();
    }

    /// The answer to `ReadNames`: the text of each file that has changed since the last time, empty
    /// if there is no file any more.
    pub fn names_conf(&mut self, now: Now, hosts: Option<&str>, resolv: Option<&str>) {
        self.turn.now = now;
        self.courier.names.configure(&mut self.turn, hosts, resolv);
        self.run_lanes();
    }

    /// Where a call of the lane can go. One failure that says nothing of the name itself ends no
    /// more than `parallelism` calls; then it is looked up again.
    pub(super) fn route(&mut self, lane: Key, owner: Owner, failures: &mut u32) -> Route {
        let target = caller!(self, owner.room).target(owner.key);
        let Some(name) = target.and_then(|target| target.name.as_deref()) else {
            return Route::To(None);
        };
        let now = self.turn.now.mono;
        if *failures >= self.courier.settings().parallelism
            && self.courier.names.forget_failure(now, name)
        {
            *failures = 0;
        }
        match self.courier.resolve(&mut self.turn, lane, name) {
            Lookup::Known(addrs) => Route::To(Some(addrs)),
            Lookup::Asked => Route::Asked,
            Lookup::Failed(detail) => {
                *failures += 1;
                Route::Nowhere(detail)
            }
        }
    }

    /// Questions that have to be asked over TCP get their lines, as far as there are places; until
    /// there are, or their time has passed, they wait.
    pub(super) fn dial_name_servers(&mut self) {
        while !self.lines.is_full()
            && let Some(dial) = self.courier.names.next_dial()
        {
            let query = TcpQuery::connecting(dial.exchange, &dial.packet);
            let Ok(key) = self.lines.insert(Line::new(Conn::Names(query))) else {
                return;
            };
            if let Some(line) = self.lines.get_mut(key) {
                line.deadline.set(&mut self.turn, key, dial.until);
            }
            self.turn.stats.add(Counter::LinesOpened, 1);
            self.turn.actions.push_back(Action::Connect {
                key,
                addr: dial.server,
                server_name: None,
            });
        }
    }

    /// The line to a name server is connected.
    pub(super) fn name_server_connected(&mut self, key: Key) {
        if let Some(line) = self.lines.get_mut(key)
            && let Conn::Names(query) = &mut line.conn
        {
            query.connected();
            line.touch(&mut self.turn, key);
        }
    }

    /// Bytes of a name server's answer.
    pub(super) fn name_server_heard(&mut self, key: Key, bytes: &[u8]) {
        let Some(line) = self.lines.get_mut(key) else {
            return;
        };
        let Conn::Names(query) = &mut line.conn else {
            return;
        };
        let exchange = query.exchange();
        match query.received(bytes) {
            Heard::Part => return,
            Heard::Answer(answer) => {
                self.courier
                    .names
                    .tcp_answer(&mut self.turn, exchange, &answer);
            }
            Heard::Nonsense => self.courier.names.unasked(&mut self.turn, exchange),
        }
        self.close(key);
    }

    /// The line ended, or half of it: no more can come of the question.
    pub(super) fn name_server_ended(&mut self, key: Key) {
        let line = self.lines.get(key);
        if let Some(Conn::Names(query)) = line.map(|line| &line.conn) {
            let exchange = query.exchange();
            self.courier.names.unasked(&mut self.turn, exchange);
            self.close(key);
        }
    }
}
