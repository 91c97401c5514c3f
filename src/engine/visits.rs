//! What the clients of /stream have come for, line by line, until they are served: lines know
//! nothing of topics. It keeps wishes and seats, and neither joins nor answers.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::access::Mark;
use crate::base::index::Index;
use crate::base::ledger::Ledger;
use crate::base::slab::Key;
use crate::base::time::{Mono, Wall};
use crate::topics::Joined;
use crate::topics::wish::Wish;

/// By what right somebody reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pass {
    /// The token's mark.
    pub(super) mark: Mark,
    /// When it ends by itself.
    pub(super) until: Option<Wall>,
}

/// What one request has come for.
#[derive(Debug)]
pub(super) struct Errand {
    pub(super) wish: Box<Wish>,
    /// The origin whose scripts may read what is sent, if it is not the page's own.
    pub(super) origin: Option<Arc<str>>,
    pub(super) pass: Pass,
}

impl Errand {
    /// Bytes of memory it takes.
    pub(super) fn bytes(&self) -> u64 {
        (size_of::<Errand>() + size_of::<Wish>() + self.wish.selection.bytes()) as u64
    }
}

/// A poll that waits, and sits in its channel as streams do.
#[derive(Debug)]
pub(super) struct Seated {
    pub(super) wish: Box<Wish>,
    pub(super) joined: Joined,
    /// When it is answered, whatever has come.
    pub(super) until: Mono,
    pub(super) pass: Pass,
}

/// What one line has come for.
#[derive(Debug, Default)]
struct Visit {
    /// What the requests behind the present one want, in their order.
    errands: VecDeque<Errand>,
    seated: Option<Seated>,
    /// Whether it takes one of the places that streams have.
    counted: bool,
}

/// All lines that have come for streams and are none.
#[derive(Debug)]
pub(super) struct Visits {
    by_line: Index<Key, Visit>,
    seated: usize,
    counted: usize,
    /// Bytes of errands on the account of memory.
    held: u64,
}

impl Visits {
    /// Nobody is there. `seed` is for the map.
    pub(super) fn new(seed: u64) -> Visits {
        Visits {
            by_line: Index::new(seed),
            seated: 0,
            counted: 0,
            held: 0,
        }
    }

    /// A request has come. Whether it will sit for a while, and so needs a place; a line never has
    /// more than one. False, and nothing done, if the account has no room for it.
    #[must_use]
    pub(super) fn bring(
        &mut self,
        memory: &mut Ledger,
        line: Key,
        errand: Errand,
        sits: bool,
    ) -> bool {
        let bytes = errand.bytes();
        if !memory.take_for_strangers(bytes) {
            return false;
        }
        self.held += bytes;
        let mut visit = self.by_line.remove(&line).unwrap_or_default();
        visit.errands.push_back(errand);
        self.counted += usize::from(sits && !visit.counted);
        visit.counted |= sits;
        self.by_line.insert(line, visit);
        true
    }

    /// What the line's next request wants; it is served now.
    pub(super) fn next(&mut self, memory: &mut Ledger, line: Key) -> Option<Errand> {
        let errand = self.by_line.get_mut(&line)?.errands.pop_front();
        self.tidy(line);
        self.give_back(memory, &errand);
        errand
    }

    fn give_back<'e>(&mut self, memory: &mut Ledger, gone: impl IntoIterator<Item = &'e Errand>) {
        let bytes = gone.into_iter().map(Errand::bytes).sum();
        self.held -= bytes;
        memory.give(bytes);
    }

    /// The poll in front of a line has to wait.
    pub(super) fn seat(&mut self, line: Key, seated: Seated) {
        let mut visit = self.by_line.remove(&line).unwrap_or_default();
        debug_assert!(visit.seated.is_none(), "a line with two seats");
        self.counted += usize::from(!visit.counted);
        self.seated += 1;
        (visit.seated, visit.counted) = (Some(seated), true);
        self.by_line.insert(line, visit);
    }

    /// The poll of that line that waits.
    pub(super) fn seated(&self, line: Key) -> Option<&Seated> {
        self.by_line.get(&line)?.seated.as_ref()
    }

    /// It waits no more; its seat is still to be given up.
    pub(super) fn unseat(&mut self, line: Key) -> Option<Seated> {
        let seated = self.by_line.get_mut(&line)?.seated.take()?;
        self.seated -= 1;
        self.tidy(line);
        Some(seated)
    }

    /// It took over the place of another that left its channel.
    pub(super) fn move_to(&mut self, line: Key, place: usize) {
        let visit = self.by_line.get_mut(&line);
        if let Some(seated) = visit.and_then(|visit| visit.seated.as_mut()) {
            seated.joined.seat.place = place;
        }
    }

    /// The line is gone. Gives what waited on it.
    pub(super) fn end(&mut self, memory: &mut Ledger, line: Key) -> Option<Seated> {
        if self.by_line.is_empty() {
            return None;
        }
        let visit = self.forget(line)?;
        self.give_back(memory, &visit.errands);
        visit.seated
    }

    fn forget(&mut self, line: Key) -> Option<Visit> {
        let visit = self.by_line.remove(&line)?;
        self.counted -= usize::from(visit.counted);
        self.seated -= usize::from(visit.seated.is_some());
        Some(visit)
    }

    /// Forgets a line that has come for nothing more.
    fn tidy(&mut self, line: Key) {
        let visit = self.by_line.get(&line);
        if visit.is_some_and(|it| it.errands.is_empty() && it.seated.is_none()) {
            self.forget(line);
        }
    }

    /// Bytes on the account of memory.
    pub(super) fn held(&self) -> u64 {
        self.held
    }

    /// Polls that wait.
    pub(super) fn waiting(&self) -> usize {
        self.seated
    }

    /// Places that are taken, of as many as streams there may be, besides those of streams: one for
    /// each line.
    pub(super) fn places(&self) -> usize {
        self.counted
    }

    /// Lines that have come for something.
    pub(super) fn len(&self) -> usize {
        self.by_line.len()
    }

    /// Whether that line has.
    pub(super) fn contains(&self, line: Key) -> bool {
        self.by_line.contains(&line)
    }

    /// Whether a line takes a place already.
    pub(super) fn has_place(&self, line: Key) -> bool {
        self.by_line.get(&line).is_some_and(|visit| visit.counted)
    }
}
