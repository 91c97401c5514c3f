//! What one stream must be sent, worked out when its head is known: what is kept behind its cursor
//! as far as anybody can tell, and whether its head says so. It sees no bytes.

use crate::asks::{Asks, Cursor};
use crate::feeds::Known;
use crate::kept::{self, Kept};

/// The messages that a stream must be sent, by their places in the log of its selection.
#[derive(Debug)]
pub struct Plan {
    /// The next that may come.
    pub next: usize,
    /// The first that was published after it had joined.
    pub live: usize,
    /// Of each before that, whether it is sent.
    fates: Vec<Kept>,
    /// Whether what is live is not sent.
    ends: bool,
    /// Messages behind the cursor that are missing, at least and at most.
    pub missing: (u64, u64),
    /// Something is missing, its head says.
    pub reset: bool,
}

impl Plan {
    /// The plan of a stream that joined when so many messages were published, at some time in
    /// `span`, with what its head said of its cursor.
    pub fn new(
        asks: &Asks,
        known: &Known<'_>,
        joined: usize,
        span: (u64, u64),
        resume: Option<&str>,
    ) -> Plan {
        let log = known.log;
        let live = log.partition_point(|entry| entry.place < joined);
        let mut plan = Plan {
            next: 0,
            live,
            fates: vec![Kept::No; live],
            ends: asks.ends,
            missing: (0, 0),
            reset: resume == Some("reset"),
        };
        if asks.cursor == Cursor::Now {
            assert_eq!(resume, None, "resumed without a cursor");
            return plan;
        }
        let history = &known.history[..joined];
        let kept = kept::all(history, known.editions, span, |topic| asks.reads(topic));
        for (fate, entry) in plan.fates.iter_mut().zip(log) {
            *fate = kept[entry.place].1;
        }
        match &asks.cursor {
            Cursor::Now => {}
            Cursor::All => assert_eq!(resume, Some("new")),
            Cursor::Last(count) => {
                plan.keep_last(*count);
                assert_eq!(resume, Some("new"));
            }
            Cursor::After(id) => {
                let place = history.iter().position(|it| it.id == *id);
                let (after, unknown) = (place.map_or(0, |it| it + 1), place.is_none());
                let all_kept = || kept[after..].iter().all(|(all, _)| *all == Kept::Yes);
                match resume {
                    Some("reset") => {
                        let lost = unknown || !all_kept();
                        assert!(lost, "reset, and nothing is missing behind {id}");
                    }
                    Some("continue") => assert!(!unknown, "continued behind {id}"),
                    other => panic!("Hookah-Resume is {other:?} behind {id}"),
                }
                plan.behind(log.partition_point(|entry| entry.place < after));
            }
        }
        plan
    }

    /// Only the last so many.
    fn keep_last(&mut self, count: usize) {
        let (mut least, mut most) = (0, 0);
        for fate in self.fates.iter_mut().rev() {
            let (sure, perhaps) = (*fate == Kept::Yes, *fate != Kept::No);
            if least >= count {
                *fate = Kept::No;
            } else if most >= count {
                *fate = (*fate).min(Kept::Perhaps);
            }
            least += usize::from(sure);
            most += usize::from(perhaps);
        }
    }

    /// Only what is behind that place. One that continues misses nothing.
    fn behind(&mut self, first: usize) {
        let first = first.min(self.live);
        self.fates[..first].fill(Kept::No);
        for fate in &mut self.fates[first..] {
            if !self.reset {
                assert_ne!(*fate, Kept::No, "continued with something missing");
                *fate = Kept::Yes;
            }
            self.missing.0 += u64::from(*fate == Kept::No);
            self.missing.1 += u64::from(*fate != Kept::Yes);
        }
    }

    /// Whether the message at that place of the log is sent.
    pub fn fate(&self, place: usize) -> Kept {
        match self.fates.get(place) {
            Some(fate) => *fate,
            None if self.ends => Kept::No,
            None => Kept::Yes,
        }
    }

    /// Whether all of the first so many in the log that must have come have.
    pub fn is_done(&self, end: usize) -> bool {
        (self.next..end).all(|place| self.fate(place) != Kept::Yes)
    }
}
