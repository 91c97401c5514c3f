//! What a new engine is told of the time before it: each fact once, in the one order.
//! A store that does not last has nothing to tell.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hookah::base::time::Wall;
use hookah::model::record::{Restored, Table};
use hookah::model::{Message, MessageId, TopicNames};
use hookah::port::StoreOp;

use crate::make::{FUTURE, PAST, accept, at, id, message, nth, work};
use crate::model::Model;
use crate::rig::{Bounds, Rig};
use crate::{BACKENDS, each, text};

fn rank(restored: &Restored) -> u32 {
    match restored {
        Restored::Last(_) | Restored::Missing(_) => 0,
        Restored::Kept { .. } => 1,
        Restored::Published(_) => 3,
        Restored::Lane(_) => 4,
    }
}

/// What was told, sorted within each kind, with the kinds in their order.
fn told(rig: &Rig) -> Vec<String> {
    let ranks = rig.restored.iter().map(rank);
    assert!(ranks.is_sorted(), "{:?}", text::restored(&rig.restored));
    let mut lines = text::restored(&rig.restored);
    lines.sort();
    lines
}

#[test]
fn an_empty_store_tells_nothing_but_perhaps_that() {
    each(|rig| {
        rig.restart();
        assert!(rig.restored.is_empty(), "{:?}", rig.restored);
    });
}

#[test]
fn facts_come_in_their_order() {
    each(|rig| {
        let mut model = Model::default();
        let mut ops = vec![];
        for n in 1..=40 {
            ops.push(accept(&Arc::new(message(nth(n), b"body"))));
            for number in 1..=3 {
                let due = if (n + u64::from(number)).is_multiple_of(2) {
                    PAST
                } else {
                    FUTURE
                };
                let parked = n % 3 == 0;
                ops.push(StoreOp::Work(work(nth(n), number, at(n % 5, due, parked))));
            }
            let key: Box<[u8]> = n.to_be_bytes().into();
            ops.push(StoreOp::Keep {
                table: Table::ALL[(n % 2) as usize],
                key,
                value: Some(b"value".as_slice().into()),
            });
        }
        for op in ops {
            model.apply(&op);
            rig.hand(op);
        }
        rig.settle();
        for crash in [true, false, true] {
            match crash {
                true => rig.crash(),
                false => rig.restart(),
            }
            model.restart();
            if !rig.backend.lasts {
                model.forget();
            }
            let mut known = text::restored(&model.restored());
            known.sort();
            assert_eq!(told(rig), known, "{}", rig.backend.scheme);
        }
        // What was under way is parked now, and can be taken.
        for lane in 0..5 {
            let known = model.take(lane, u64::MAX, 1000, u64::MAX);
            let (found, left) = rig.take(lane, u64::MAX, 1000, u64::MAX);
            assert_eq!(text::taken(&found), text::taken(&known));
            assert_eq!(left, None);
        }
    });
}

#[test]
fn the_last_id_is_known_even_if_its_message_is_gone() {
    let bounds = Bounds {
        keep_age: Duration::from_secs(1),
        ..Bounds::default()
    };
    for backend in BACKENDS.into_iter().filter(|backend| backend.lasts) {
        let mut rig = Rig::with(backend, bounds);
        rig.lasts([accept(&Arc::new(message(nth(1), b"")))]);
        while rig.story(nth(1)).is_some() {}
        rig.crash();
        let last = rig.restored.first();
        assert!(
            matches!(last, Some(Restored::Last(it)) if it.number() >= nth(1).number()),
            "{last:?}"
        );
    }
}

/// Published so many seconds ago.
fn published(seconds: u64, body: usize) -> Message {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970");
    let millis = now.as_millis() as u64 - 1000 * seconds;
    let id: MessageId = id(millis << 16);
    Message {
        accepted: Wall(millis * 1000),
        topics: TopicNames::of([&b"topic"[..]].into_iter()),
        ..message(id, &vec![b'x'; body])
    }
}

fn backlog(rig: &Rig) -> Vec<MessageId> {
    let ids = rig.restored.iter().filter_map(|it| match it {
        Restored::Published(message) => Some(message.id),
        _ => None,
    });
    ids.collect()
}

#[test]
fn the_backlog_is_what_is_young_and_fits() {
    let bounds = Bounds {
        backlog_age: Duration::from_secs(3600),
        backlog_bytes: 250_000,
        ..Bounds::default()
    };
    for backend in BACKENDS.into_iter().filter(|backend| backend.lasts) {
        let mut rig = Rig::with(backend, bounds);
        let ages = [7200, 5000, 3000, 2000, 1000, 500];
        let messages: Vec<_> = ages.map(|age| Arc::new(published(age, 80_000))).into();
        for message in &messages {
            rig.hand(accept(message));
        }
        // One that was published to nobody is no part of it.
        let unpublished = Message {
            topics: TopicNames::default(),
            ..published(100, 10)
        };
        rig.lasts([accept(&Arc::new(unpublished))]);
        rig.crash();
        let expected: Vec<MessageId> = messages[3..].iter().map(|it| it.id).collect();
        assert_eq!(
            backlog(&rig),
            expected,
            "the newest that fit, the oldest first"
        );
    }
}

fn missing(rig: &Rig) -> Option<MessageId> {
    rig.restored.iter().find_map(|it| match it {
        Restored::Missing(id) => Some(*id),
        _ => None,
    })
}

/// Readers are told that something may be missing if it may be, and only then.
#[test]
fn up_to_where_the_backlog_may_have_gaps_is_said() {
    let bounds = Bounds {
        backlog_age: Duration::from_secs(3600),
        backlog_bytes: 250_000,
        ..Bounds::default()
    };
    for backend in BACKENDS.into_iter().filter(|backend| backend.lasts) {
        for (ages, gap) in [
            (&[3000, 2000, 1000][..], None),
            (&[7200, 3000, 2000][..], Some(0)),
            (&[3000, 2000, 1000, 500][..], Some(0)),
            (&[9000, 7200, 5000][..], Some(2)),
        ] {
            let mut rig = Rig::with(backend, bounds);
            let message = |age: &u64| Arc::new(published(*age, 80_000));
            let messages: Vec<_> = ages.iter().map(message).collect();
            rig.lasts(messages.iter().map(accept));
            rig.crash();
            let said = missing(&rig).expect("that it is said");
            let first = backlog(&rig).first().copied();
            let gap = gap.map_or(MessageId::default(), |place: usize| messages[place].id);
            assert!(said >= gap, "{ages:?}: {said} and {gap}");
            assert!(first.is_none_or(|first| said < first), "{ages:?}: {said}");
            // Less than an hour ago nothing is missing but what did not fit.
            let young = published(3_590, 1).id;
            let sure = gap.max(young);
            let between = messages.iter().find(|it| it.id > sure && it.id <= said);
            assert!(between.is_none(), "{ages:?}: {said} is more than {sure}");
        }
    }
}
