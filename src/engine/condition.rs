//! What the store can do: not ready yet, well, or in trouble; what it tells a new engine of the
//! time before it; the work that is asked back from it. It keeps nothing but that condition.

use super::Engine;
use super::serve::{problem, text};
use crate::conn::reply::Reply;
use crate::http::problem::{Problem, Reason};
use crate::http::request::Request;
use crate::model::record::{Parked, Restored, Table, Taken};

/// Whether messages can be taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// The store has not said everything yet.
    Starting,
    /// It takes messages.
    Well,
    /// It takes none, for that reason.
    Trouble(&'static str),
}

impl Condition {
    /// That of a store of which nothing was heard. One that forgets has nothing to say.
    pub(super) fn new(volatile: bool) -> Condition {
        match volatile {
            true => Condition::Well,
            false => Condition::Starting,
        }
    }

    /// Whether anything can be taken in that has to last.
    ///
    /// # Errors
    /// Why not; it may be tried again soon.
    pub(super) fn takes(self) -> Result<(), Problem> {
        match self {
            Condition::Well => Ok(()),
            Condition::Starting => Err(Reason::Starting.into()),
            Condition::Trouble(why) => {
                let detail = format!("the store has stopped taking messages: {why}");
                Err(Problem::new(Reason::StoreFailed, detail))
            }
        }
    }

    /// What `/health` says, or `/ready`: a word, or why not.
    pub(super) fn shown(self, is_health: bool, request: &Request<'_>) -> Reply {
        let (state, word) = match is_health {
            true => (self.is_well(), "ok\n"),
            false => (self.takes(), "ready\n"),
        };
        match state {
            Ok(()) => text(word),
            Err(why) => problem(why, request),
        }
    }

    /// Whether the server is well: what it was told to do at the start it does.
    ///
    /// # Errors
    /// That it is not.
    pub(super) fn is_well(self) -> Result<(), Problem> {
        match self {
            Condition::Starting => Ok(()),
            _ => self.takes(),
        }
    }
}

impl Engine {
    /// Whether the store has said what there was before this process.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.store != Condition::Starting
    }

    /// The store takes messages again, or does not.
    pub(super) fn store_usable(&mut self, trouble: Option<&'static str>) {
        let next = match trouble {
            Some(why) => Condition::Trouble(why),
            None => Condition::Well,
        };
        match (self.store, trouble) {
            (before, _) if before == next => {}
            (_, Some(why)) => log::error!("store_failed why={why} intake=stopped"),
            (_, None) => log::warn!("store_recovered intake=open"),
        }
        self.store = next;
    }

    /// The store has said everything of the time before this process.
    pub(super) fn store_ready(&mut self) {
        if self.store == Condition::Starting {
            self.store = Condition::Well;
        }
        let now = self.turn.now.mono;
        self.dispatch.deliveries.goes_on(now);
        let waiting = self.dispatch.deliveries.in_store();
        log::info!("store_ready deliveries={waiting}");
    }

    /// Facts of the time before this process.
    pub(super) fn store_restored(&mut self, facts: Vec<Restored>) {
        for fact in facts {
            match fact {
                Restored::Last(id) => self.dispatch.deliveries.ids_go_on(id),
                Restored::Kept { table, key, value } => self.restore_kept(table, &key, &value),
                Restored::Missing(id) => self.topics.missing(id),
                Restored::Published(message) => self.republish(&message),
                Restored::Lane(parked) => {
                    let deliveries = &mut self.dispatch.deliveries;
                    deliveries.restore(&mut self.turn, &parked);
                }
            }
        }
    }

    fn restore_kept(&mut self, table: Table, key: &[u8], value: &[u8]) {
        match table {
            Table::Topics if self.topics.recall(self.turn.now, key, value) => {}
            Table::Subscriptions | Table::Topics => {
                self.hub.restore(&mut self.turn, table, key, value);
            }
            Table::Keys => self.dispatch.once.restore(&mut self.turn, key, value),
        }
    }

    /// Work that was asked for.
    pub(super) fn store_taken(&mut self, lane: u64, rows: Vec<Taken>, left: Option<&Parked>) {
        let (hub, now) = (&self.hub, self.turn.now.mono);
        let callback_of = |number| hub.by_number(now, number);
        let deliveries = &mut self.dispatch.deliveries;
        deliveries.taken(&mut self.turn, (lane, rows), left, callback_of);
    }

    /// Parked deliveries were canceled; what is told of their lanes counts as of everything that
    /// is durable by now.
    pub(super) fn store_canceled(&mut self, lanes: &[Parked]) {
        let deliveries = &mut self.dispatch.deliveries;
        deliveries.lanes_canceled(&mut self.turn, lanes, self.durable);
    }

    /// Work that is due soon is asked for, unless nothing new is to begin.
    pub(super) fn ask_store(&mut self) {
        let stops = self.drain != super::life::Drain::No;
        if !stops && self.store != Condition::Starting {
            self.dispatch.deliveries.ask(&mut self.turn);
        }
    }
}
