//! Topics that are told to keep more or less while they are there. It wakes nobody, and ends no
//! stream: whoever is too far behind now is found when something is published.

use super::channel::Kind;
use super::{Settings, Topics};
use crate::base::slab::Key;

impl Topics {
    /// Goes by other settings from now on; what a topic keeps beyond them goes at once. The bound
    /// on all topics stays what it was, for memory was shared out by it. What is too old goes with
    /// the next sweep, which may be due at once.
    pub fn retune(&mut self, settings: &Settings) {
        let bytes_max = self.settings.bytes_max;
        let (was, is) = (self.settings.widest().age, settings.widest().age);
        self.deleted.regroup(was, is);
        self.settings = Settings {
            bytes_max,
            ..settings.clone()
        };
        // Those that are there may be full beyond a smaller bound.
        self.ring_bound = self.ring_bound.max(self.settings.ring_bound());
        let keys: Vec<Key> = self.channels.iter().map(|(key, _)| key).collect();
        for key in &keys {
            let Some(channel) = self.channels.get_mut(*key) else {
                continue;
            };
            channel.ring.widen(self.ring_bound);
            if let Kind::Topic { backlog, .. } = &mut channel.kind {
                backlog.keep = self.settings.keep_of(&backlog.name);
            }
        }
        let (channels, default) = (&self.channels, self.settings.backlog_age);
        self.posts.regroup(self.settings.ages(), |topic| {
            match channels.get(topic).map(|channel| &channel.kind) {
                Some(Kind::Topic { backlog, .. }) => backlog.keep.age,
                _ => default,
            }
        });
        for key in keys {
            self.trim_backlog(key);
        }
        // Whatever was armed is for other times.
        self.sweeps = None;
    }
}
