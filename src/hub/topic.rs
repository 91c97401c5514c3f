//! One topic: who subscribes to it, what it said last, and whether it is being asked again.
//! It makes no call; it says when one is due and what its end means.

use std::sync::Arc;
use std::time::Duration;

use crate::base::slab::Key;
use crate::base::time::Mono;
use crate::hub::diff::Seen;
use crate::hub::name::TopicName;
use crate::model::Target;

/// What a topic is charged for besides its texts, in bytes.
const TOPIC_BYTES: usize = size_of::<Topic>() + 256;

/// A topic with subscribers, or one that is being fetched.
#[derive(Debug)]
pub(super) struct Topic {
    /// As it was first named.
    pub(super) name: TopicName,
    /// Where it is fetched; none for a plain name.
    pub(super) target: Option<Arc<Target>>,
    /// Its subscriptions, verified or not.
    pub(super) subscriptions: Vec<Key>,
    pub(super) fetch: Fetch,
    /// What it said last, as far as that is durable.
    pub(super) known: Known,
    /// The number of its last content that is durable, from 1; 0 before.
    pub(super) version: u64,
    /// The entries of that content, where it is a feed of which only what is new goes out.
    pub(super) seen: Seen,
    /// What it says of itself, once it was fetched.
    pub(super) advert: Option<Advert>,
    /// When it was fetched last.
    pub(super) fetched: Option<Mono>,
    /// Whether it was named by somebody who may name any address.
    pub(super) local: bool,
    /// When the agenda looks at it.
    pub(super) stands: Mono,
    /// Bytes on the account of memory.
    pub(super) charged: u64,
    /// What the store was given last; zero for nothing.
    pub(super) kept: u64,
}

/// What tells whether content is new (RFC 9110 section 8.8).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Known {
    /// ETag.
    pub(super) tag: Option<Box<str>>,
    /// Last-Modified.
    pub(super) modified: Option<Box<str>>,
    /// Of content type and body.
    pub(super) digest: Option<[u8; 32]>,
}

/// What a topic says of itself (WebSub section 4).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Advert {
    /// Its `rel=self`, absolute.
    pub(super) canonical: Option<Box<str>>,
    /// The hub it names that is ours; any that it names, where we do not know our own name.
    pub(super) hub: Option<Box<str>>,
}

/// The states of a topic's fetch.
///
/// ```text
///  Idle ──ping──► Waiting ──due──► Out ──changed──► Storing ──durable──► Idle
///                  ▲ ▲ ▲            │ └─ unchanged, given up ──────────► Idle
///                  │ │ └── failed ──┘                  │
///                  │ └── pinged meanwhile ─────────────┤
///                  └── lost by the store ──────────────┘
/// ```
#[derive(Debug)]
pub(super) enum Fetch {
    /// Nothing is to be done.
    Idle,
    /// It is fetched then.
    Waiting {
        /// The time.
        due: Mono,
        /// How often it has failed.
        tries: u32,
        /// The publisher asked to be left alone until then.
        put_off: bool,
    },
    /// The GET is on its way.
    Out {
        /// The call.
        call: Key,
        /// How often it has failed before.
        tries: u32,
        /// Another ping came meanwhile.
        again: bool,
    },
    /// It has changed, and the store has the content.
    Storing {
        /// What is known of it once it is durable.
        next: Known,
        /// Its entries.
        seen: Seen,
        /// How often it has failed before.
        tries: u32,
        /// Another ping came meanwhile.
        again: bool,
    },
}

impl Known {
    fn bytes(&self) -> usize {
        let text = |it: &Option<Box<str>>| it.as_ref().map_or(0, |text| text.len());
        text(&self.tag) + text(&self.modified)
    }
}

impl Fetch {
    /// A ping has come. None is lost: what comes during a fetch leads to one more (hub.md C24).
    /// `soonest` is when it may be fetched again at all.
    pub(super) fn ping(&mut self, soonest: Mono) {
        match self {
            Fetch::Idle => *self = Fetch::soon(soonest),
            // What failed may work now; only what the publisher asked for is kept to.
            Fetch::Waiting { due, put_off, .. } if !*put_off => *due = soonest.min(*due),
            Fetch::Waiting { .. } => {}
            Fetch::Out { again, .. } | Fetch::Storing { again, .. } => *again = true,
        }
    }

    fn soon(due: Mono) -> Fetch {
        Fetch::Waiting {
            due,
            tries: 0,
            put_off: false,
        }
    }

    /// When it is due.
    pub(super) fn due(&self) -> Mono {
        match self {
            Fetch::Waiting { due, .. } => *due,
            Fetch::Idle | Fetch::Out { .. } | Fetch::Storing { .. } => Mono::NEVER,
        }
    }

    /// Whether that call is the one it waits for.
    pub(super) fn waits_for(&self, key: Key) -> bool {
        matches!(self, Fetch::Out { call, .. } if *call == key)
    }

    /// The GET is on its way.
    pub(super) fn begun(&mut self, call: Key) {
        if let Fetch::Waiting { tries, .. } = *self {
            *self = Fetch::Out {
                call,
                tries,
                again: false,
            };
        }
    }

    /// Nothing new, or nothing that could be passed on: it waits for the next ping, if that has not
    /// come already.
    pub(super) fn settled(&mut self, soonest: Mono) {
        match *self {
            Fetch::Out { again: true, .. } | Fetch::Storing { again: true, .. } => {
                *self = Fetch::soon(soonest);
            }
            Fetch::Out { .. } | Fetch::Storing { .. } => *self = Fetch::Idle,
            Fetch::Idle | Fetch::Waiting { .. } => {}
        }
    }

    /// New content goes to the store.
    pub(super) fn changed(&mut self, next: Known, seen: Seen) {
        if let Fetch::Out { tries, again, .. } = *self {
            *self = Fetch::Storing {
                next,
                seen,
                tries,
                again,
            };
        }
    }

    /// It failed and is tried again after `wait`, and not earlier than the publisher asked for.
    pub(super) fn failed(&mut self, now: Mono, wait: Duration, asked: Option<Duration>) {
        if let Fetch::Out { tries, .. } | Fetch::Storing { tries, .. } = *self {
            *self = Fetch::Waiting {
                due: now + wait.max(asked.unwrap_or_default()),
                tries: tries + 1,
                put_off: asked.is_some(),
            };
        }
    }

    /// The number of the next try after a failure, from 1.
    pub(super) fn retry(&self) -> u32 {
        match self {
            Fetch::Out { tries, .. } | Fetch::Storing { tries, .. } => tries + 1,
            Fetch::Idle | Fetch::Waiting { .. } => 0,
        }
    }
}

impl Topic {
    /// A topic that nothing is known of.
    pub(super) fn new(name: TopicName) -> Topic {
        Topic {
            target: name.target().map(Arc::new),
            name,
            subscriptions: Vec::new(),
            fetch: Fetch::Idle,
            known: Known::default(),
            version: 0,
            seen: Seen::default(),
            advert: None,
            fetched: None,
            local: false,
            stands: Mono::NEVER,
            charged: 0,
            kept: 0,
        }
    }

    /// What it is to be charged, in bytes. Its key stands in the map as well.
    pub(super) fn bytes(&self) -> u64 {
        let text = |it: &Option<Box<str>>| it.as_ref().map_or(0, |text| text.len());
        let advert = self.advert.as_ref();
        let advert = advert.map_or(0, |advert| text(&advert.canonical) + text(&advert.hub));
        let target = self.target.as_ref().map_or(0, |target| target.bytes());
        let storing = match &self.fetch {
            Fetch::Storing { next, seen, .. } => next.bytes() + seen.bytes(),
            _ => 0,
        };
        let list = self.subscriptions.len() * size_of::<Key>();
        let texts = 2 * self.name.bytes() + target + advert + self.known.bytes() + storing;
        (TOPIC_BYTES + texts + list + self.seen.bytes()) as u64
    }

    /// When it may be fetched again.
    pub(super) fn soonest(&self, now: Mono, interval_min: Duration) -> Mono {
        let after = self.fetched.map_or(now, |fetched| fetched + interval_min);
        after.max(now)
    }

    /// Whether it is a feed of which only what is new goes out.
    pub(super) fn is_seen(&self) -> bool {
        self.seen.bytes() > 0
    }

    /// Whether nobody needs it.
    pub(super) fn is_idle(&self) -> bool {
        self.subscriptions.is_empty() && matches!(self.fetch, Fetch::Idle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::slab::Slab;

    fn out() -> (Fetch, Key) {
        let call = Slab::with_bound(1).insert(()).unwrap();
        let mut fetch = Fetch::Idle;
        fetch.ping(Mono(5));
        assert_eq!(fetch.due(), Mono(5));
        fetch.begun(call);
        assert!(fetch.waits_for(call));
        (fetch, call)
    }

    #[test]
    fn row_47_a_ping_during_a_fetch_leads_to_another() {
        let (mut fetch, _) = out();
        fetch.ping(Mono(6));
        fetch.ping(Mono(7));
        fetch.settled(Mono(8));
        assert_eq!(fetch.due(), Mono(8));
        let (mut fetch, _) = out();
        fetch.settled(Mono(8));
        assert!(matches!(fetch, Fetch::Idle));
    }

    #[test]
    fn row_47_a_ping_while_content_is_stored_is_not_lost() {
        let (mut fetch, _) = out();
        fetch.changed(Known::default(), Seen::default());
        fetch.ping(Mono(6));
        fetch.settled(Mono(9));
        assert_eq!(fetch.due(), Mono(9));
    }

    #[test]
    fn point_24_pings_that_wait_are_one() {
        let mut fetch = Fetch::Idle;
        fetch.ping(Mono(50));
        fetch.ping(Mono(60));
        assert_eq!(fetch.due(), Mono(50));
    }

    #[test]
    fn point_26_a_ping_hastens_a_retry_but_not_what_the_publisher_asked_for() {
        let second = Duration::from_secs(1);
        let (mut fetch, _) = out();
        assert_eq!(fetch.retry(), 1);
        fetch.failed(Mono(0), second, None);
        assert_eq!(fetch.due(), Mono(0) + second);
        fetch.ping(Mono(3));
        assert_eq!(fetch.due(), Mono(3));
        let (mut fetch, _) = out();
        fetch.failed(Mono(0), second, Some(second * 2));
        fetch.ping(Mono(3));
        assert_eq!(fetch.due(), Mono(0) + second * 2);
    }
}
