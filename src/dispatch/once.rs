//! Requests that are taken once: the keys that publishers gave them, for a day, and which message
//! each became. It compares requests by their digests and keeps nothing else of them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use ring::digest::{Context, SHA256};

use super::intake::Intake;
use crate::base::index::Index;
use crate::base::slab::Key;
use crate::base::time::Wall;
use crate::http::problem::{Problem, Reason, SHOWN_CHARS_MAX};
use crate::model::MessageId;
use crate::model::record::Table;
use crate::port::{Seq, StoreOp, Timer, Turn};

/// How long a key is kept.
pub const KEPT: Duration = Duration::from_secs(24 * 3_600);
/// Keys that are kept; the oldest goes for one more.
pub const KEYS_MAX: usize = 100_000;
/// Keys that one look at the clock forgets, so that it is short.
const SWEPT_MAX: usize = 1_024;
/// The clock is looked at no more often than this.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);
/// Memory that a key is charged for besides its bytes.
const KEY_BYTES: u64 = 256;

/// What tells requests apart.
pub type Digest = [u8; 32];

/// What a request is taken once by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Name<'a> {
    /// The scope that the key is one in: empty, or the name of a token, so that nobody can find out
    /// what others send. It outlasts a change of that token's secret.
    pub(super) scope: &'a str,
    /// The key as its publisher gave it.
    pub(super) key: &'a str,
}

/// A request that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Taken {
    id: MessageId,
    digest: Digest,
    until: Wall,
    /// It lasts once everything up to this number does.
    seq: Seq,
}

/// The message that a repeated request has become already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct First {
    /// Its id.
    pub id: MessageId,
    /// Its number among what was handed to the store.
    pub seq: Seq,
}

/// The keys.
#[derive(Debug)]
pub struct Once {
    by_key: Index<Arc<[u8]>, Taken>,
    /// The keys in the order in which they are forgotten.
    order: BTreeMap<(Wall, MessageId), Arc<[u8]>>,
    /// Those whose message may still be lost, in the order of acceptance.
    pending: VecDeque<(Seq, Arc<[u8]>)>,
    timer: Option<Key>,
}

impl Once {
    /// No key. `seed` is for its map.
    #[must_use]
    pub fn new(seed: u64) -> Once {
        Once {
            by_key: Index::new(seed),
            order: BTreeMap::new(),
            pending: VecDeque::new(),
            timer: None,
        }
    }

    /// The message that this request has become already, if it came before under this key.
    ///
    /// # Errors
    /// Under this key came another request.
    pub(super) fn first(
        &self,
        now: Wall,
        key: Name<'_>,
        digest: &Digest,
    ) -> Result<Option<First>, Problem> {
        let taken = self.by_key.get(&*scoped(key));
        let Some(taken) = taken.filter(|taken| taken.until > now) else {
            return Ok(None);
        };
        let Taken { id, seq, .. } = *taken;
        if taken.digest == *digest {
            return Ok(Some(First { id, seq }));
        }
        let key: String = key.key.chars().take(SHOWN_CHARS_MAX).collect();
        let detail = format!(
            "idempotency-key: {key:?} came with another request, which became {id}; allowed: the \
             same target, options and body, or another key"
        );
        Err(Problem::new(Reason::KeyReused, detail))
    }

    /// Puts a key on the account of memory; false if there is no room.
    pub(super) fn charge(turn: &mut Turn, key: Name<'_>) -> bool {
        turn.memory.take(cost(&scoped(key)))
    }

    /// The key's message was not taken in.
    pub(super) fn uncharge(turn: &mut Turn, key: Name<'_>) {
        turn.memory.give(cost(&scoped(key)));
    }

    /// A request was taken in under a key that is charged already. The store keeps it with the
    /// message, for this is the same fact.
    pub(super) fn keep(&mut self, turn: &mut Turn, key: Name<'_>, digest: Digest, first: First) {
        let key: Arc<[u8]> = scoped(key).into();
        self.forget(turn, &key, false);
        let taken = Taken {
            id: first.id,
            digest,
            until: turn.now.wall + KEPT,
            seq: first.seq,
        };
        turn.hand(StoreOp::Keep {
            table: Table::Keys,
            key: key[..].into(),
            value: Some(encode(&taken)),
        });
        self.pending.push_back((first.seq, Arc::clone(&key)));
        self.insert(turn, key, taken);
    }

    /// A key of the time before. What cannot be read is forgotten.
    pub fn restore(&mut self, turn: &mut Turn, key: &[u8], value: &[u8]) {
        let Some(mut taken) = decode(value) else {
            turn.hand(StoreOp::Keep {
                table: Table::Keys,
                key: key.into(),
                value: None,
            });
            return;
        };
        // The clock may have gone back.
        taken.until = taken.until.min(turn.now.wall + KEPT);
        turn.memory.charge(cost(key));
        self.insert(turn, key.into(), taken);
    }

    fn insert(&mut self, turn: &mut Turn, key: Arc<[u8]>, taken: Taken) {
        if self.by_key.len() >= KEYS_MAX
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.forget(turn, &oldest, true);
        }
        self.order.insert((taken.until, taken.id), Arc::clone(&key));
        self.by_key.insert(key, taken);
        self.watch(turn);
    }

    /// A key goes, and with `stored` the store is told.
    fn forget(&mut self, turn: &mut Turn, key: &Arc<[u8]>, stored: bool) {
        let Some(taken) = self.by_key.remove(key) else {
            return;
        };
        self.order.remove(&(taken.until, taken.id));
        turn.memory.give(cost(key));
        if self.order.is_empty()
            && let Some(node) = self.timer.take()
        {
            turn.wheel.cancel(node);
        }
        if stored {
            turn.hand(StoreOp::Keep {
                table: Table::Keys,
                key: key[..].into(),
                value: None,
            });
        }
    }

    /// Everything up to `seq` lasts.
    pub fn kept(&mut self, seq: Seq) {
        while self.pending.front().is_some_and(|(it, _)| *it <= seq) {
            self.pending.pop_front();
        }
    }

    /// The messages up to `seq` that do not last were lost, and their keys are free again.
    pub fn lost(&mut self, turn: &mut Turn, seq: Seq) {
        while let Some((number, key)) = self.pending.front().cloned()
            && number <= seq
        {
            self.pending.pop_front();
            let same = |taken: &Taken| taken.seq == number;
            if self.by_key.get(&key).is_some_and(same) {
                self.forget(turn, &key, true);
            }
        }
    }

    /// Its node fired: what is over is forgotten.
    pub fn fired(&mut self, turn: &mut Turn) {
        self.timer = None;
        for _ in 0..SWEPT_MAX {
            let Some(first) = self.order.first_entry() else {
                break;
            };
            if first.key().0 > turn.now.wall {
                break;
            }
            let key = first.remove();
            self.forget(turn, &key, true);
        }
        self.watch(turn);
    }

    fn watch(&mut self, turn: &mut Turn) {
        if self.timer.is_none()
            && let Some(((until, _), _)) = self.order.first_key_value()
        {
            let wait = until.since(turn.now.wall).max(SWEEP_INTERVAL);
            self.timer = turn.wheel.arm(turn.now.mono + wait, Timer::Keys);
        }
    }

    /// How many keys are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Whether no key is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// Sweeps the invariants. Returns the bytes that should stand on the account of memory.
    pub fn check(&self) -> u64 {
        assert_eq!(self.order.len(), self.by_key.len(), "a key out of order");
        assert!(
            self.order.is_empty() || self.timer.is_some(),
            "nobody forgets keys"
        );
        let mut bytes = 0;
        for ((until, id), key) in &self.order {
            let taken = self.by_key.get(key);
            let place = taken.map(|taken| (taken.until, taken.id));
            assert_eq!(place, Some((*until, *id)), "a key in another's place");
            bytes += cost(key);
        }
        bytes
    }
}

/// The key as it is kept: behind the scope in which it is one, and the length of that.
fn scoped(name: Name<'_>) -> Vec<u8> {
    let scope = name.scope.as_bytes();
    let bytes = u8::try_from(scope.len()).unwrap_or(u8::MAX);
    let mut scoped = Vec::with_capacity(1 + scope.len() + name.key.len());
    scoped.push(bytes);
    scoped.extend_from_slice(scope.get(..bytes.into()).unwrap_or_default());
    scoped.extend_from_slice(name.key.as_bytes());
    scoped
}

fn cost(key: &[u8]) -> u64 {
    KEY_BYTES + key.len() as u64
}

/// Bytes of what is kept under a key.
const VALUE_BYTES: usize = 56;

fn encode(taken: &Taken) -> Box<[u8]> {
    let mut value = Vec::with_capacity(VALUE_BYTES);
    value.extend_from_slice(&taken.id.0.to_be_bytes());
    value.extend_from_slice(&taken.until.0.to_be_bytes());
    value.extend_from_slice(&taken.digest);
    value.into()
}

fn decode(value: &[u8]) -> Option<Taken> {
    let (id, rest) = value.split_first_chunk()?;
    let (until, digest) = rest.split_first_chunk()?;
    Some(Taken {
        id: MessageId(u128::from_be_bytes(*id)),
        digest: digest.try_into().ok()?,
        until: Wall(u64::from_be_bytes(*until)),
        // It lasts already.
        seq: 0,
    })
}

/// The digest of everything that a request says: its targets, its options as they were given, its
/// method and its body. What merely passed by (`traceparent`, relayed fields) is not among it, for
/// that is another each time.
pub(super) fn digest(intake: &Intake<'_>) -> Digest {
    let mut context = Context::new(&SHA256);
    let mut part = |kind: &str, bytes: &[u8]| {
        for piece in [kind.as_bytes(), bytes] {
            context.update(&(piece.len() as u64).to_be_bytes());
            context.update(piece);
        }
    };
    intake.urls.bytes().for_each(|url| part("url", url));
    intake.topics.bytes().for_each(|name| part("topic", name));
    for (option, value) in intake.said() {
        part(option, value);
    }
    part("header", intake.brought);
    part("method", intake.method.as_str().as_bytes());
    part("content-type", intake.content_type.as_bytes());
    part("body", intake.body);
    let digest = context.finish();
    digest.as_ref().try_into().unwrap_or_default()
}

#[cfg(test)]
mod tests;
