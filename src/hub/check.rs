//! What must always hold in the hub, swept by tests and the simulator. It changes nothing.

use super::calls::Errand;
use super::topic::Fetch;
use super::verify::Step;
use super::{Hub, State, pair};
use crate::base::time::Mono;

impl Hub {
    /// Sweeps all invariants; panics with what is wrong. Gives the bytes that are on the account of
    /// memory for it.
    pub fn check(&self) -> u64 {
        let bytes = self.check_subscriptions() + self.check_topics();
        let denials: u64 = self.denials.iter().map(|(_, denial)| denial.bytes()).sum();
        let mut stand = 0;
        for (_, denial) in self.denials.iter() {
            assert!(denial.stands <= denial.next_look(), "a denial is forgotten");
            stand += usize::from(denial.stands != Mono::NEVER);
        }
        let subscriptions = self.subscriptions.iter().map(|(_, it)| it.stands);
        let topics = self.topics.iter().map(|(_, it)| it.stands);
        stand += subscriptions
            .chain(topics)
            .filter(|at| *at != Mono::NEVER)
            .count();
        self.agenda.check(stand, |at, due| self.is_live(at, due));
        self.check_calls();
        bytes + denials + self.calls.bytes()
    }

    fn check_subscriptions(&self) -> u64 {
        let known = (self.by_pair.len(), self.by_number.len());
        let count = self.subscriptions.len();
        assert_eq!(known, (count, count), "pairs or numbers miscounted");
        let mut bytes = 0;
        for (key, found) in self.subscriptions.iter() {
            let topic = self.topics.get(found.topic);
            let text = topic.map_or("", |topic| topic.name.key());
            let place = topic.and_then(|topic| topic.subscriptions.get(found.place));
            assert_eq!(place, Some(&key), "a topic does not know its subscriber");
            let known = self.by_pair.get(&*pair(text, found.callback.text()));
            assert_eq!(known, Some(&key), "a pair leads elsewhere");
            let numbered = self.by_number.get(&found.number);
            assert_eq!(numbered, Some(&key), "a number leads elsewhere");
            let is_kept = found.kept != 0 || found.state.terms().is_none();
            assert!(is_kept, "the store knows nothing of a subscription");
            assert!(
                !matches!(found.state, State::Gone),
                "a subscription should be gone"
            );
            assert_eq!(
                found.charged,
                found.bytes(),
                "a subscription's account is wrong"
            );
            assert!(
                found.stands <= found.next_look(),
                "a subscription is forgotten"
            );
            let has_terms = found.state.terms().is_some();
            assert!(
                has_terms || found.queue.len() == 0,
                "what is not verified gets deliveries"
            );
            if let Some(asked) = found.state.asked() {
                assert_ne!(asked.step, Step::Unapproved, "nobody asks the publisher");
                assert!(
                    asked.terms.is_some() != asked.ended.is_some(),
                    "neither or both"
                );
            }
            bytes += found.charged;
        }
        bytes
    }

    fn check_topics(&self) -> u64 {
        assert_eq!(self.by_key.len(), self.topics.len(), "topics miscounted");
        let (mut bytes, mut subscribers) = (0, 0);
        for (key, topic) in self.topics.iter() {
            assert_eq!(
                self.by_key.get(topic.name.key()),
                Some(&key),
                "a name leads elsewhere"
            );
            assert!(!topic.is_idle(), "a topic should be gone");
            assert_eq!(topic.charged, topic.bytes(), "a topic's account is wrong");
            assert!(topic.stands <= topic.fetch.due(), "a fetch is forgotten");
            if let Fetch::Out { call, .. } = topic.fetch {
                let call = self.calls.iter().find(|(key, _)| *key == call);
                let errand = call.map(|(_, call)| call.errand);
                assert!(
                    matches!(errand, Some(Errand::Fetch(of)) if of == key),
                    "no such fetch"
                );
            }
            bytes += topic.charged;
            subscribers += topic.subscriptions.len();
        }
        assert_eq!(
            subscribers,
            self.subscriptions.len(),
            "subscribers miscounted"
        );
        bytes
    }

    /// At most one call goes to each subscriber's host.
    fn check_calls(&self) {
        let mut hosts: Vec<&str> = self
            .calls
            .iter()
            .filter(|(_, call)| matches!(call.errand, Errand::Verify { .. } | Errand::Deny(_)))
            .map(|(_, call)| &*call.first.origin.host)
            .collect();
        hosts.sort_unstable();
        let calls = hosts.len();
        hosts.dedup();
        assert_eq!(hosts.len(), calls, "two calls to one subscriber's host");
        assert_eq!(
            self.gate.len(),
            calls,
            "the gate holds a host that nobody calls"
        );
    }
}
