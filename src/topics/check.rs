//! Sweeps of all that must hold of topics, for tests and the simulator. It changes nothing.

use super::Topics;
use super::channel::{ENTRY_BYTES, Kind};
use crate::base::slab::Key;

impl Topics {
    /// Sweeps all invariants; panics with what is wrong.
    pub fn check(&self) {
        let (mut bytes, mut streams, mut topics, mut standing) = (0, 0, 0, 0);
        let mut posts: Vec<(Key, bool, bool)> = Vec::new();
        for (key, channel) in self.channels.iter() {
            posts.extend(channel.check());
            streams += channel.members.len();
            bytes += channel.ring.len() * ENTRY_BYTES;
            if let Kind::Topic { backlog, .. } = &channel.kind {
                topics += 1;
                let own = self.check_backlog(channel, backlog);
                bytes += own;
                standing += if channel.is_read() { own } else { 0 };
                assert!(!channel.is_deserted(), "a topic for nobody");
                let name = &*backlog.name;
                let found = (self.by_name.get(name), self.by_order.get(name));
                assert_eq!(found, (Some(&key), Some(&key)), "a topic without its name");
            }
        }
        let of_views = self.check_views();
        bytes += of_views;
        assert_eq!(
            standing + of_views,
            self.standing,
            "what stands for readers"
        );
        posts.sort_unstable();
        let of = |key: Key| {
            let from = posts.partition_point(|(it, ..)| *it < key);
            let rings = posts.iter().skip(from).take_while(|(it, ..)| *it == key);
            let waits = rings.clone().filter(|(_, waits, _)| *waits).count();
            let kept = rings.clone().any(|(_, _, kept)| *kept);
            (waits as u32, kept)
        };
        bytes += self.posts.check(of) + self.deleted.bytes();
        self.check_temperature();
        assert_eq!(bytes, self.posts.bytes, "bytes differ from their sum");
        assert_eq!(streams, self.streams, "streams differ from their sum");
        let known = (self.by_name.len(), self.by_order.len());
        assert_eq!(known, (topics, topics), "a name without its topic");
    }
}
