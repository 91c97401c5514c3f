//! All that a store knows, in plain tables: messages, their work and attempts, lanes with what is
//! parked, facts by key. It is the meaning of every operation, said once, and has no clock, no
//! flush and no failure; it forgets what has ended, if there is a bound, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::row::Row;
use crate::base::time::Wall;
use crate::model::record::{Attempt, End, Parked, Place, Restored, Table, Taken, Work};
use crate::model::{Message, MessageId, Outcome};
use crate::port::{StoreDone, StoreOp};

/// The part of the bound that answers have in any case: down to it they make way before messages.
const ANSWERS_PART: u64 = 4;

/// The place of a parked delivery in its lane: rank, the message's number, its own.
type Spot = (u64, u64, u32);

/// What a small fact is kept under.
type Name = (Table, Box<[u8]>);

/// The tables.
#[derive(Debug)]
pub struct Book {
    /// By number.
    pub(super) rows: BTreeMap<u64, Row>,
    /// Messages all of whose deliveries have ended.
    ended: BTreeSet<u64>,
    /// Those of them that have answers.
    answered: BTreeSet<u64>,
    /// When parked deliveries are due, by lane; no lane is empty.
    parked: BTreeMap<u64, BTreeMap<Spot, Wall>>,
    kept: BTreeMap<Name, Box<[u8]>>,
    /// The greatest id there ever was.
    last: MessageId,
    /// The greatest id of a message of a topic that was forgotten.
    missing: MessageId,
    /// Bytes of all rows.
    bytes: u64,
    /// Bytes of answers in rows that have ended.
    answers: u64,
    bytes_max: u64,
}

impl Book {
    /// Empty. What has ended is forgotten, the oldest first, while more than `bytes_max` is held.
    #[must_use]
    pub fn new(bytes_max: u64) -> Book {
        Book {
            rows: BTreeMap::new(),
            ended: BTreeSet::new(),
            answered: BTreeSet::new(),
            parked: BTreeMap::new(),
            kept: BTreeMap::new(),
            last: MessageId::default(),
            missing: MessageId::default(),
            bytes: 0,
            answers: 0,
            bytes_max,
        }
    }

    /// Does what the operation says; what there is to tell about it besides that it is done. The
    /// time matters to questions alone.
    pub fn apply(&mut self, now: Wall, op: StoreOp) -> Option<StoreDone> {
        match op {
            StoreOp::Accept { message, .. } => {
                // Room is made before and not after: its work has not come yet.
                self.make_room();
                self.accept(message);
                return None;
            }
            StoreOp::Work(work) => self.work(work),
            StoreOp::Later {
                id,
                number,
                place,
                attempts,
                attempt,
            } => {
                self.record(id, number, attempt);
                self.later(id, number, place, attempts);
            }
            StoreOp::End {
                id,
                number,
                end,
                attempt,
            } => {
                self.record(id, number, attempt);
                self.end(id, number, end);
            }
            StoreOp::Rest {
                id,
                number,
                attempt,
                body,
                truncated,
            } => self.change(id, |row| row.rest(number, attempt, body, truncated)),
            StoreOp::Take {
                lane,
                until,
                rows,
                bytes,
            } => return Some(self.take(lane, until, rows, bytes)),
            StoreOp::Cancel { ticket, id, at } => return Some(self.cancel(ticket, id, at)),
            StoreOp::Keep { table, key, value } => {
                match value {
                    Some(value) => self.kept.insert((table, key), value),
                    None => self.kept.remove(&(table, key)),
                };
            }
            StoreOp::Ask { ticket, question } => {
                let found = self.answer(now, &question);
                return Some(StoreDone::Found { ticket, found });
            }
        }
        self.make_room();
        None
    }

    /// The message of that id, if it is known.
    #[must_use]
    pub fn message(&self, id: MessageId) -> Option<&Arc<Message>> {
        let row = self.rows.get(&id.number());
        row.map(|row| &row.message).filter(|it| it.id == id)
    }

    /// Deliveries of a message that have not ended.
    pub fn open(&self, id: MessageId) -> impl Iterator<Item = &Work> {
        let row = self.rows.get(&id.number());
        let row = row.filter(|row| row.message.id == id);
        let deliveries = row.into_iter().flat_map(|row| &row.deliveries);
        deliveries.filter(|it| it.end.is_none()).map(|it| &it.work)
    }

    /// How many deliveries have not ended.
    #[must_use]
    pub fn open_count(&self) -> usize {
        self.rows.values().map(|row| row.open).sum()
    }

    /// What a new engine is told: all that was under way is parked from now on. Of the backlog
    /// what was accepted since then, the newest, in so many bytes.
    pub fn restore(&mut self, since: Wall, bytes: u64) -> Vec<Restored> {
        let mut told = Vec::new();
        let (missing, backlog) = self.backlog(since, bytes);
        if self.last != MessageId::default() {
            told.extend([Restored::Last(self.last), Restored::Missing(missing)]);
        }
        let kept = self.kept.iter();
        told.extend(kept.map(|((table, key), value)| Restored::Kept {
            table: *table,
            key: key.clone(),
            value: value.clone(),
        }));
        told.extend(backlog.into_iter().map(Restored::Published));
        for row in self.rows.values_mut().filter(|row| row.open > 0) {
            let number = row.message.id.number();
            for delivery in row.deliveries.iter_mut().filter(|it| it.end.is_none()) {
                let place = &mut delivery.work.place;
                place.parked = true;
                let spot = (place.rank, number, delivery.work.number);
                let lane = self.parked.entry(place.lane).or_default();
                lane.insert(spot, place.due);
            }
        }
        let lanes = self.parked.keys().filter_map(|lane| self.parked(*lane));
        told.extend(lanes.map(Restored::Lane));
        told
    }

    /// What was published since then, the oldest first, and the last message that is missing there.
    fn backlog(&self, since: Wall, bytes: u64) -> (MessageId, Vec<Arc<Message>>) {
        let mut left = bytes;
        let newest = self.rows.values().rev().map(|row| &row.message);
        let mut published = newest.filter(|it| it.topics.bytes() > 0);
        let mut backlog = Vec::new();
        let missing = published.find(|message| {
            let rest = left.checked_sub(message.bytes() as u64);
            let Some(rest) = rest.filter(|_| message.accepted >= since) else {
                return true;
            };
            left = rest;
            backlog.push(Arc::clone(message));
            false
        });
        backlog.reverse();
        let missing = missing.map_or(self.missing, |message| message.id.max(self.missing));
        (missing, backlog)
    }

    /// What is parked in a lane, if anything is.
    fn parked(&self, lane: u64) -> Option<Parked> {
        let spots = self.parked.get(&lane)?;
        let (_, due) = spots.first_key_value()?;
        Some(Parked {
            lane,
            due: *due,
            count: spots.len() as u64,
        })
    }
}

/// The work.
impl Book {
    fn accept(&mut self, message: Arc<Message>) {
        let number = message.id.number();
        self.last = self.last.max(message.id);
        if self.rows.contains_key(&number) {
            return;
        }
        let row = Row::new(message);
        self.bytes += row.bytes;
        self.rows.insert(number, row);
        self.ended.insert(number);
    }

    fn work(&mut self, work: Work) {
        let (id, number, place) = (work.id, work.number, work.place);
        let mut is_new = false;
        self.change(id, |row| is_new = row.add(work));
        if is_new && place.parked {
            self.park(id, number, place);
        }
    }

    fn later(&mut self, id: MessageId, number: u32, place: Place, attempts: u32) {
        let Some(row) = self.row(id) else { return };
        let open = row.delivery(number).filter(|it| it.end.is_none());
        let Some(delivery) = open else { return };
        let before = std::mem::replace(&mut delivery.work.place, place);
        delivery.work.attempts = attempts;
        self.unpark(id, number, before);
        if place.parked {
            self.park(id, number, place);
        }
    }

    fn end(&mut self, id: MessageId, number: u32, end: End) {
        let Some(row) = self.row(id) else { return };
        let open = row.delivery(number).filter(|it| it.end.is_none());
        let Some(delivery) = open else { return };
        let place = delivery.work.place;
        self.unpark(id, number, place);
        self.change(id, |row| row.end(number, end));
    }

    /// An attempt is put down if there is room for it, if need be without what was answered.
    fn record(&mut self, id: MessageId, number: u32, attempt: Option<Attempt>) {
        let Some(attempt) = attempt else { return };
        let count = attempt.attempt;
        self.change(id, |row| row.record(number, attempt));
        self.make_room();
        if self.bytes > self.bytes_max {
            self.change(id, Row::strip);
        }
        if self.bytes > self.bytes_max {
            self.change(id, |row| row.strike(number, count));
        }
    }

    fn take(&mut self, lane: u64, until: u64, rows: u32, bytes: u64) -> StoreDone {
        let spots = self.parked.get(&lane).into_iter().flatten();
        let due = spots.take_while(|((rank, ..), _)| *rank <= until);
        let mut left = bytes;
        let mut spots: Vec<Spot> = Vec::new();
        for (spot, _) in due.take(rows as usize) {
            let Some(row) = self.rows.get(&spot.1) else {
                continue;
            };
            // Deliveries of one message share it.
            if !spots.iter().any(|it| it.1 == spot.1) {
                let rest = left.checked_sub(row.message.body.len() as u64);
                if rest.is_none() && !spots.is_empty() {
                    break;
                }
                left = rest.unwrap_or(0);
            }
            spots.push(*spot);
        }
        let rows = spots.into_iter().filter_map(|spot| self.taken(lane, spot));
        StoreDone::Taken {
            lane,
            rows: rows.collect(),
            left: self.parked(lane),
        }
    }

    /// A delivery is parked no longer.
    fn taken(&mut self, lane: u64, spot: Spot) -> Option<Taken> {
        let (_, number, delivery) = spot;
        self.unpark_spot(lane, &spot);
        let row = self.rows.get_mut(&number)?;
        let message = Arc::clone(&row.message);
        let work = &mut row.delivery(delivery)?.work;
        work.place.parked = false;
        Some(Taken {
            message,
            work: work.clone(),
        })
    }

    fn cancel(&mut self, ticket: u64, id: MessageId, at: Wall) -> StoreDone {
        let row = self.row(id).map(|row| &row.deliveries);
        let open = row.into_iter().flatten().filter(|it| it.end.is_none());
        let works = open.map(|it| &it.work).filter(|it| it.place.parked);
        let works: Vec<Work> = works.cloned().collect();
        let lanes: BTreeSet<u64> = works.iter().map(|it| it.place.lane).collect();
        for work in &works {
            let end = End {
                outcome: Outcome::Canceled,
                detail: "",
                at,
                target: Arc::clone(&work.target),
            };
            self.end(id, work.number, end);
        }
        let left = lanes.into_iter().map(|lane| {
            self.parked(lane).unwrap_or(Parked {
                lane,
                due: at,
                count: 0,
            })
        });
        StoreDone::Canceled {
            ticket,
            count: works.len() as u32,
            lanes: left.collect(),
        }
    }

    fn park(&mut self, id: MessageId, number: u32, place: Place) {
        let lane = self.parked.entry(place.lane).or_default();
        lane.insert((place.rank, id.number(), number), place.due);
    }

    fn unpark(&mut self, id: MessageId, number: u32, place: Place) {
        if place.parked {
            self.unpark_spot(place.lane, &(place.rank, id.number(), number));
        }
    }

    fn unpark_spot(&mut self, lane: u64, spot: &Spot) {
        let Some(spots) = self.parked.get_mut(&lane) else {
            return;
        };
        spots.remove(spot);
        if spots.is_empty() {
            self.parked.remove(&lane);
        }
    }
}

/// The account.
impl Book {
    fn row(&mut self, id: MessageId) -> Option<&mut Row> {
        let row = self.rows.get_mut(&id.number());
        row.filter(|row| row.message.id == id)
    }

    /// Changes a row, and the account with it.
    fn change(&mut self, id: MessageId, change: impl FnOnce(&mut Row)) {
        let Some(row) = self.row(id) else { return };
        // Answers that may be forgotten.
        let loose = |row: &Row| if row.open == 0 { row.answers } else { 0 };
        let (bytes, answers) = (row.bytes, loose(row));
        change(row);
        let (open, after, loose) = (row.open, row.bytes, loose(row));
        self.bytes = self.bytes - bytes + after;
        self.answers = self.answers - answers + loose;
        let number = id.number();
        if open > 0 {
            self.ended.remove(&number);
        } else {
            self.ended.insert(number);
        }
        if loose > 0 {
            self.answered.insert(number);
        } else {
            self.answered.remove(&number);
        }
    }

    /// Forgets what has ended and was accepted before that.
    pub fn forget_before(&mut self, time: Wall) {
        let is_old = |book: &Book| {
            let oldest = book.ended.first().and_then(|number| book.rows.get(number));
            oldest.is_some_and(|row| row.message.accepted < time)
        };
        while is_old(self) && self.forget_oldest() {}
    }

    /// What has ended makes way until all fits, or nothing that has ended is left.
    fn make_room(&mut self) {
        while self.bytes > self.bytes_max {
            let many = self.answers > self.bytes_max / ANSWERS_PART;
            let gone = match self.answered.first().copied().filter(|_| many) {
                Some(number) => self.strip(number),
                None => self.forget_oldest(),
            };
            if !gone {
                return;
            }
        }
    }

    fn strip(&mut self, number: u64) -> bool {
        let id = self.rows.get(&number).map(|row| row.message.id);
        self.change(id.unwrap_or_default(), Row::strip);
        self.answered.remove(&number);
        true
    }

    fn forget_oldest(&mut self) -> bool {
        let Some(number) = self.ended.pop_first() else {
            return false;
        };
        self.answered.remove(&number);
        if let Some(row) = self.rows.remove(&number) {
            self.bytes -= row.bytes;
            self.answers -= row.answers;
            if row.message.topics.bytes() > 0 {
                self.missing = self.missing.max(row.message.id);
            }
        }
        true
    }

    /// Sweeps the tables and the account.
    #[cfg(test)]
    pub(super) fn check(&self) {
        let mut spots = 0;
        for (number, row) in &self.rows {
            row.check();
            assert_eq!(self.ended.contains(number), row.open == 0);
            assert_eq!(
                self.answered.contains(number),
                row.open == 0 && row.answers > 0
            );
            let open = row.deliveries.iter().filter(|it| it.end.is_none());
            for work in open.map(|it| &it.work).filter(|it| it.place.parked) {
                let spot = (work.place.rank, *number, work.number);
                assert_eq!(self.parked[&work.place.lane][&spot], work.place.due);
                spots += 1;
            }
        }
        assert_eq!(
            spots,
            self.parked.values().map(BTreeMap::len).sum::<usize>()
        );
        assert!(self.parked.values().all(|lane| !lane.is_empty()));
        assert!(
            self.ended
                .iter()
                .all(|number| self.rows.contains_key(number))
        );
        let ended = self.rows.values().filter(|row| row.open == 0);
        assert_eq!(self.answers, ended.map(|row| row.answers).sum::<u64>());
        assert_eq!(
            self.bytes,
            self.rows.values().map(|row| row.bytes).sum::<u64>()
        );
    }

    /// Bytes held.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
}
