//! Time in which nobody turned: the process was stopped, its machine suspended or far too busy.
//! What has a deadline was not heard meanwhile, so it loses none of its time by that.

use std::time::Duration;

use super::Engine;
use crate::base::slab::Key;
use crate::base::stats::Counter;
use crate::base::time::{Mono, Now};
use crate::conn::Conn;

/// Later than this the loop does not wake by itself.
const LATE_MAX: Duration = Duration::from_secs(1);
/// How often the loop wakes while calls are under way, whatever happens: without that nobody could
/// tell a process that was stopped from one that slept.
const WATCH: Duration = Duration::from_secs(1);

impl Engine {
    /// A turn begins; before all other facts of the turn. If it does so much later than was asked
    /// for, the deadlines of lines and lookups move on by the time that nobody turned, and the
    /// retries that were due meanwhile are spread over as long a time again.
    pub fn woke(&mut self, now: Now) {
        // A turn may take long by itself; whoever made it so shall gain nothing by that.
        let last = self.turn.now.mono.max(self.turned);
        let asked = self.next_wake().unwrap_or(Mono::NEVER).max(last);
        self.turn.now = now;
        let late = now.mono.since(asked);
        if late <= LATE_MAX {
            return;
        }
        // It may have begun at any time since the last turn: nobody who is well shall lose by that.
        let gap = now.mono.since(last).min(late + WATCH);
        log::warn!("stood_still ms={}", gap.as_millis());
        self.turn.stats.add(Counter::StoodStill, 1);
        let mut index = 0;
        while let Some(key) = self.lines.key_from(index) {
            index = key.index() + 1;
            self.postpone(key, gap);
        }
        self.courier.names.postpone(&mut self.turn, gap);
        self.dispatch.deliveries.missed(asked, now.mono);
    }

    /// The turn has ended at that time.
    pub fn turned(&mut self, at: Mono) {
        self.turned = at;
    }

    fn postpone(&mut self, key: Key, gap: Duration) {
        let Some(line) = self.lines.get_mut(key) else {
            return;
        };
        line.deadline.postpone(gap);
        match &mut line.conn {
            Conn::Inbound(inbound) => inbound.postpone(gap),
            Conn::Outbound(outbound) => outbound.postpone(gap),
            Conn::Stream(stream) => stream.postpone(gap),
            Conn::Names(_) => {}
        }
    }

    /// When the next turn is needed so that `woke` can tell whether it comes late.
    pub(super) fn watch(&self) -> Option<Mono> {
        let watches = self.courier.busy() > 0;
        watches.then(|| self.turn.now.mono + WATCH)
    }
}
