//! The oracle over the ends of processes: what was promised is on the disk then, what goes out
//! afterwards is what the disk says, and nothing that it knows to have ended. It changes nothing.

use hookah::base::time::Wall;
use hookah::model::MessageId;
use hookah::port::Seq;
use hookah::store::memory::Book;

use crate::net::LinkId;
use crate::oracle::{ATTEMPTS_MAX, Oracle, SLACK, Sent};
use crate::order::Order;
use crate::targets::Target;
use crate::world::{MINUTE, MS, SECOND, World};

/// A message that the store has and has not answered for.
#[derive(Clone, Copy, Debug)]
pub struct Waiting {
    /// Its place.
    pub seq: Seq,
    /// Its id.
    pub id: MessageId,
    /// The store keeps it when it fails.
    pub promised: bool,
}

/// What the disk knew of an order when the process ended.
#[derive(Clone, Copy, Debug)]
pub struct Resumed {
    /// Attempts that have ended; `None` if it has ended itself.
    pub attempts: Option<u32>,
    /// When it is tried next.
    pub due: Wall,
}

/// What is further ahead than this is in the store alone, and comes back by the wall clock.
const HORIZON: u64 = MINUTE;

impl Oracle {
    /// The process is gone; this is what is left.
    pub fn crashed(&mut self, world: &World, book: &Book) {
        self.crashes += 1;
        for id in self.kept.keys() {
            assert!(book.message(*id).is_some(), "{id} was promised and is lost");
        }
        for waiting in std::mem::take(&mut self.waiting) {
            if book.message(waiting.id).is_some() {
                self.lasts(world.at(), waiting.id);
            } else {
                self.accepts.remove(&waiting.id);
            }
        }
        for id in std::mem::take(&mut self.doubtful) {
            if book.message(id).is_some() {
                self.lasts(world.at(), id);
                self.doubtful.insert(id);
            } else {
                self.accepts.remove(&id);
            }
        }
        self.feeds.crashed(world.at(), book);
        self.ends.retain(|id, _| book.open(*id).next().is_none());
        for fate in &mut self.fates {
            let Some(id) = fate.id else { continue };
            if book.message(id).is_none() {
                assert!(fate.attempts.is_empty(), "{id} went out and is lost");
                (fate.id, fate.accepted) = (None, None);
                continue;
            }
            let work = book.open(id).next();
            fate.resumed = Some(Resumed {
                attempts: work.map(|work| work.attempts),
                due: work.map_or(Wall(0), |work| work.place.due),
            });
            let known = work.map_or(u32::MAX, |work| work.attempts);
            let last = fate
                .attempts
                .last()
                .map_or(0, |last| self.sent[*last].attempt);
            fate.again += last.saturating_sub(known);
        }
    }

    /// A message was on the disk before anything else was.
    pub fn stocked(&mut self, world: &World, order: usize, id: MessageId) {
        self.accepts.insert(id, (0, world.at()));
        self.kept.insert(id, world.at());
        self.name(order, id);
        self.fates[order].resumed = Some(Resumed {
            attempts: Some(0),
            due: world.now.wall,
        });
    }

    /// Whether the wall clock, by which what is in the store alone comes back and expires, was set.
    pub fn is_clock_wild(&self) -> bool {
        self.leapt || self.jumps
    }

    /// Whether nobody can tell from outside when something so far ahead is due: it was parked, and
    /// the wall clock was set meanwhile.
    pub fn is_unsure(&self, wait: u64, world: &World) -> bool {
        let set = world.jumped || self.leapt;
        // Where memory is scarce what is near is in the store too, under the wall clock's time.
        let stored = wait > HORIZON / 2 || self.leapt || self.cramped;
        !self.volatile && set && stored
    }

    /// How long those before it in its lane can hold up what is in the store alone: their attempts,
    /// and the store each time that it is asked.
    pub fn parked_slack(&self, load: usize) -> u64 {
        if self.volatile {
            return 0;
        }
        let each = ATTEMPTS_MAX * (16 + 6) * SECOND + 2 * self.store_within;
        load.saturating_sub(1) as u64 * each + 4 * self.store_within
    }

    /// Never two attempts of one delivery at once.
    pub fn check_alone(&self, own: LinkId, order: usize) {
        for (link, tap) in self.taps.iter().filter(|(link, _)| **link != own) {
            let open = tap.open.filter(|_| !tap.told);
            let twice = open.is_some_and(|sent| self.sent[sent].order == order);
            assert!(
                !twice,
                "order {order} is on link {link} and on {own} at once"
            );
        }
    }

    /// The first time that an order goes out after the process has ended: with the number that the
    /// disk knows, no earlier and not much later than it says.
    pub fn check_resumed(
        &self,
        order: &Order,
        target: &Target,
        sent: &Sent,
        resumed: &Resumed,
        world: &World,
    ) {
        let Some(attempts) = resumed.attempts else {
            panic!("had ended for good, and goes out again: {order:?}, {sent:?}")
        };
        let right = match target.sees_every_attempt() {
            true => sent.attempt == attempts + 1,
            false => sent.attempt > attempts,
        };
        assert!(right, "{sent:?} after {resumed:?} of {order:?}");
        if sent.attempt != attempts + 1 || world.jumped || self.leapt {
            return;
        }
        let offset = world.now.wall.0 - world.at();
        let due = resumed.due.0.saturating_sub(offset);
        assert!(
            sent.at + MS >= due,
            "too early: {sent:?}, {resumed:?} of {order:?}"
        );
        let due = due.max(self.began + self.store_within);
        let bound = due + SLACK + self.lane_slack(order.target, target) + target.lookup_within();
        let prompt = sent.at <= bound || self.is_tight() || !target.sees_every_attempt();
        let prompt = prompt || order.is_gated();
        assert!(
            prompt,
            "{} us late: {sent:?}, {resumed:?}, {order:?}",
            sent.at - due
        );
    }

    /// How often an order may go out at most, in all.
    pub fn most_attempts(&self, order: &Order) -> u32 {
        order.budget() + self.fates[order.number].again
    }
}
