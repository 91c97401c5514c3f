//! The one map: look-up by key, with a hash that a peer cannot predict.
//! It cannot be iterated, because the order of a hash map would differ between two equal runs.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher};

/// Values by key. Get, insert and remove are O(1); memory grows with the largest number held at
/// once. A key may be looked up in its borrowed form, as `&str` for `Box<str>`.
pub struct Index<K, V> {
    map: HashMap<K, V, Secrets>,
}

impl<K: Hash + Eq, V> Index<K, V> {
    /// An empty index whose hash depends on `seed`: take it from the generator, so that no peer can
    /// choose keys that collide. Allocates nothing yet.
    #[must_use]
    pub fn new(seed: u64) -> Index<K, V> {
        Index {
            map: HashMap::with_hasher(Secrets::new(seed)),
        }
    }

    /// The value under `key`.
    #[must_use]
    pub fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.map.get(key)
    }

    /// The value under `key`, for changing.
    #[must_use]
    pub fn get_mut<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.map.get_mut(key)
    }

    /// The value under `key`, for changing; made if there is none.
    pub fn get_or_insert_with(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        self.map.entry(key).or_insert_with(make)
    }

    /// Puts `value` under `key`; gives back what was there.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.map.insert(key, value)
    }

    /// Takes out what is under `key`.
    pub fn remove<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.map.remove(key)
    }

    /// Whether there is a value under `key`.
    #[must_use]
    pub fn contains<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.map.contains_key(key)
    }

    /// How many values are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }
}

impl<K, V> fmt::Debug for Index<K, V> {
    // Only the number: the order of the contents must not get into a trace.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Index({})", self.map.len())
    }
}

/// The two secret numbers of one index.
#[derive(Clone, Copy)]
struct Secrets {
    start: u64,
    factor: u64,
}

impl Secrets {
    fn new(seed: u64) -> Secrets {
        // An odd factor with bits all over cannot be a weak one (0, small, a power of two).
        Secrets {
            start: spread(seed ^ 0x9e37_79b9_7f4a_7c15),
            factor: spread(seed.wrapping_add(0xd1b5_4a32_d192_ed03)) | 1,
        }
    }
}

impl BuildHasher for Secrets {
    type Hasher = Folded;

    fn build_hasher(&self) -> Folded {
        Folded {
            state: self.start,
            factor: self.factor,
        }
    }
}

/// Mixes what it is given by full 64 by 64 bit products whose halves are folded together, the step
/// that wyhash and foldhash share: one multiplication for a number or up to 16 bytes.
struct Folded {
    state: u64,
    factor: u64,
}

impl Folded {
    fn mix(&mut self, word: u64) {
        self.state = fold(self.state ^ word, self.factor);
    }
}

impl Hasher for Folded {
    fn write(&mut self, bytes: &[u8]) {
        // The length goes in because the two words of a short input overlap; as a rotation of what
        // is secret, because a peer could undo an exclusive-or with a byte of the input.
        let mut state = self.state.rotate_left(bytes.len() as u32);
        let mut rest = bytes;
        while let Some((block, after)) = rest.split_first_chunk::<16>() {
            if after.is_empty() {
                break;
            }
            let (low, high) = (word(&block[..8]), word(&block[8..]));
            state = fold(state ^ low, self.factor ^ high);
            rest = after;
        }
        let (low, high) = ends(rest);
        self.state = fold(state ^ low, self.factor ^ high);
    }

    fn write_u8(&mut self, number: u8) {
        self.mix(u64::from(number));
    }

    fn write_u16(&mut self, number: u16) {
        self.mix(u64::from(number));
    }

    fn write_u32(&mut self, number: u32) {
        self.mix(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        self.mix(number);
    }

    fn write_u128(&mut self, number: u128) {
        self.state = fold(
            self.state ^ number as u64,
            self.factor ^ (number >> 64) as u64,
        );
    }

    fn write_usize(&mut self, number: usize) {
        self.mix(number as u64);
    }

    fn finish(&self) -> u64 {
        // The map takes the place from the low bits and the tag from the high ones: both must
        // depend on everything, also where the last number changed only a high bit.
        fold(self.state, self.factor.rotate_left(32))
    }
}

/// At most 16 bytes as two words that together hold all of them.
fn ends(bytes: &[u8]) -> (u64, u64) {
    match bytes.len() {
        8.. => (word(&bytes[..8]), word(&bytes[bytes.len() - 8..])),
        4..8 => (word(&bytes[..4]), word(&bytes[bytes.len() - 4..])),
        _ => (word(bytes), 0),
    }
}

/// At most 8 bytes, little-endian.
#[inline(always)]
fn word(bytes: &[u8]) -> u64 {
    match (bytes.first_chunk::<8>(), bytes.first_chunk::<4>()) {
        (Some(eight), _) => u64::from_le_bytes(*eight),
        (None, Some(four)) => u64::from(u32::from_le_bytes(*four)),
        _ => bytes
            .iter()
            .rev()
            .fold(0, |word, byte| (word << 8) | u64::from(*byte)),
    }
}

#[inline(always)]
fn fold(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    (product as u64) ^ ((product >> 64) as u64)
}

/// The finalizer of SplitMix64: every bit of the seed reaches every bit of the result.
fn spread(seed: u64) -> u64 {
    let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::base::rng::Rng;

    #[test]
    fn agrees_with_a_model_under_random_steps() {
        let mut rng = Rng::new([2; 32]);
        let mut index: Index<Box<str>, u64> = Index::new(rng.u64());
        let mut model: BTreeMap<Box<str>, u64> = BTreeMap::new();
        for step in 0..50_000 {
            let key = format!("http://host-{}.example", rng.below(300));
            match rng.below(4) {
                0 => {
                    let key: Box<str> = key.as_str().into();
                    assert_eq!(index.insert(key.clone(), step), model.insert(key, step));
                }
                1 => assert_eq!(index.remove(key.as_str()), model.remove(key.as_str())),
                2 => assert_eq!(index.get_mut(key.as_str()), model.get_mut(key.as_str())),
                _ => assert_eq!(index.get(key.as_str()), model.get(key.as_str())),
            }
            assert_eq!(
                index.contains(key.as_str()),
                model.contains_key(key.as_str())
            );
            assert_eq!(
                (index.len(), index.is_empty()),
                (model.len(), model.is_empty())
            );
        }
        assert!(index.len() > 50);
    }

    #[test]
    fn keys_of_every_length_differ_in_their_hash() {
        let secrets = Secrets::new(5);
        let mut seen = BTreeSet::new();
        for length in 0..70 {
            let text = "a".repeat(length);
            assert!(seen.insert(secrets.hash_one(&text)), "{length} bytes");
            // Every single byte counts, wherever it stands.
            for place in 0..length {
                let changed = format!("{}b{}", &text[..place], &text[place + 1..]);
                let is_new = seen.insert(secrets.hash_one(&changed));
                assert!(is_new, "byte {place} of {length}");
            }
        }
    }

    #[test]
    fn the_hash_depends_on_the_seed_and_only_on_it() {
        let hash = |seed| Secrets::new(seed).hash_one("topic");
        assert_eq!(hash(1), hash(1));
        let hashes: BTreeSet<u64> = (0..1_000).map(hash).collect();
        assert_eq!(hashes.len(), 1_000);
    }

    #[test]
    fn numbers_in_a_row_spread_over_low_and_high_bits() {
        let secrets = Secrets::new(11);
        for shift in [0, 8, 32, 48] {
            let mut low = [0_u32; 128];
            let mut high = [0_u32; 128];
            for number in 0..12_800_u64 {
                let hash = secrets.hash_one(number << shift);
                low[(hash % 128) as usize] += 1;
                high[(hash >> 57) as usize] += 1;
            }
            // A hundred each expected, standard deviation ten.
            for count in low.iter().chain(&high) {
                assert!(
                    (40..=160).contains(count),
                    "shift {shift}: {low:?} {high:?}"
                );
            }
        }
    }

    #[test]
    fn debug_output_tells_the_number_alone() {
        let mut index = Index::new(0);
        index.insert(1_u128, "secret");
        index.insert(2_u128, "secret");
        assert_eq!(format!("{index:?}"), "Index(2)");
    }
}
