//! The one generator: ChaCha with 12 rounds (RFC 8439's block function, fewer rounds), seeded once.
//! It never asks the system for entropy; the shell brings the seed, or the simulator invents it.

use std::fmt;

/// Rounds of the generator's blocks, in pairs: 12 rounds, with a wide margin over the 7 that were
/// ever broken. DNS ids and challenges come from here, so it must not be predictable.
const ROUND_PAIRS: usize = 6;

/// An endless stream of unpredictable numbers, the same for the same seed.
pub struct Rng {
    key: [u32; 8],
    block: u64,
    words: [u64; 8],
    // Words of the block already given out; 8 means that the next call computes a block.
    used: usize,
}

impl Rng {
    /// The generator of that seed: 32 bytes of entropy, or a simulator's seed.
    #[must_use]
    pub fn new(seed: [u8; 32]) -> Rng {
        Rng {
            key: words_of(&seed),
            block: 0,
            words: [0; 8],
            used: 8,
        }
    }

    /// 64 bits.
    pub fn u64(&mut self) -> u64 {
        if self.used >= self.words.len() {
            self.refill();
        }
        let word = self.words[self.used];
        self.used += 1;
        word
    }

    /// 128 bits.
    pub fn u128(&mut self) -> u128 {
        (u128::from(self.u64()) << 64) | u128::from(self.u64())
    }

    /// A number from 0 to `n - 1`, each as likely as the other; 0 if `n` is 0.
    ///
    /// The high half of a 64 by 64 bit product, redrawn where its low half would favour some
    /// results (D. Lemire, "Fast Random Integer Generation in an Interval", 2019).
    pub fn below(&mut self, n: u64) -> u64 {
        if n == 0 {
            return 0;
        }
        let uneven = n.wrapping_neg() % n;
        loop {
            let product = u128::from(self.u64()) * u128::from(n);
            if product as u64 >= uneven {
                return (product >> 64) as u64;
            }
        }
    }

    /// Overwrites all of `bytes`.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let word = self.u64().to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
    }

    fn refill(&mut self) {
        let tail = [self.block as u32, (self.block >> 32) as u32, 0, 0];
        let halves = chacha::<ROUND_PAIRS>(&self.key, tail);
        for (word, pair) in self.words.iter_mut().zip(halves.chunks_exact(2)) {
            *word = u64::from(pair[0]) | (u64::from(pair[1]) << 32);
        }
        self.block = self.block.wrapping_add(1);
        self.used = 0;
    }
}

impl fmt::Debug for Rng {
    // The key stays out of logs.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Rng")
    }
}

/// One block of RFC 8439 section 2.3; `tail` is the state's last row, counter and nonce.
fn chacha<const PAIRS: usize>(key: &[u32; 8], tail: [u32; 4]) -> [u32; 16] {
    let mut start: [u32; 16] = [0; 16];
    start[..4].copy_from_slice(&words_of::<4>(b"expand 32-byte k"));
    start[4..12].copy_from_slice(key);
    start[12..].copy_from_slice(&tail);
    let mut state = start;
    for _ in 0..PAIRS {
        quarter(&mut state, 0, 4, 8, 12);
        quarter(&mut state, 1, 5, 9, 13);
        quarter(&mut state, 2, 6, 10, 14);
        quarter(&mut state, 3, 7, 11, 15);
        quarter(&mut state, 0, 5, 10, 15);
        quarter(&mut state, 1, 6, 11, 12);
        quarter(&mut state, 2, 7, 8, 13);
        quarter(&mut state, 3, 4, 9, 14);
    }
    for (word, first) in state.iter_mut().zip(start) {
        *word = word.wrapping_add(first);
    }
    state
}

/// RFC 8439 section 2.1.
#[inline(always)]
fn quarter(state: &mut [u32; 16], a: usize, b: usize, c: usize, d: usize) {
    state[a] = state[a].wrapping_add(state[b]);
    state[d] = (state[d] ^ state[a]).rotate_left(16);
    state[c] = state[c].wrapping_add(state[d]);
    state[b] = (state[b] ^ state[c]).rotate_left(12);
    state[a] = state[a].wrapping_add(state[b]);
    state[d] = (state[d] ^ state[a]).rotate_left(8);
    state[c] = state[c].wrapping_add(state[d]);
    state[b] = (state[b] ^ state[c]).rotate_left(7);
}

/// Bytes as little-endian words.
fn words_of<const N: usize>(bytes: &[u8]) -> [u32; N] {
    let mut words = [0; N];
    for (word, chunk) in words.iter_mut().zip(bytes.chunks_exact(4)) {
        *word = chunk
            .iter()
            .rev()
            .fold(0, |word, byte| (word << 8) | u32::from(*byte));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_is_that_of_rfc_8439_section_2_3_2() {
        let key: Vec<u8> = (0..32).collect();
        let tail = [1, 0x0900_0000, 0x4a00_0000, 0];
        let expected = [
            0xe4e7_f110,
            0x1559_3bd1,
            0x1fdd_0f50,
            0xc471_20a3,
            0xc7f4_d1c7,
            0x0368_c033,
            0x9aaa_2204,
            0x4e6c_d4c3,
            0x4664_82d2,
            0x09aa_9f07,
            0x05d7_c214,
            0xa202_8bd9,
            0xd19c_12b5,
            0xb94e_16de,
            0xe883_d0cb,
            0x4e3c_50a2,
        ];
        assert_eq!(chacha::<10>(&words_of(&key), tail), expected);
    }

    #[test]
    fn the_stream_is_the_blocks_in_order() {
        let mut rng = Rng::new([7; 32]);
        let key = words_of(&[7; 32]);
        for block in 0..3 {
            for pair in chacha::<ROUND_PAIRS>(&key, [block, 0, 0, 0]).chunks_exact(2) {
                assert_eq!(rng.u64(), u64::from(pair[0]) | (u64::from(pair[1]) << 32));
            }
        }
        let (mut one, mut other) = (Rng::new([7; 32]), Rng::new([8; 32]));
        assert_ne!(one.u128(), other.u128());
    }

    #[test]
    fn fill_takes_whole_words_and_leaves_no_byte() {
        let mut expected = Rng::new([3; 32]);
        let mut bytes = [0; 19];
        Rng::new([3; 32]).fill(&mut bytes);
        let words: Vec<u8> = (0..3).flat_map(|_| expected.u64().to_le_bytes()).collect();
        assert_eq!(bytes[..], words[..19]);
        Rng::new([3; 32]).fill(&mut []);
    }

    #[test]
    fn below_reaches_every_result_about_as_often() {
        let mut rng = Rng::new([9; 32]);
        let mut seen = [0_u32; 6];
        for _ in 0..60_000 {
            seen[rng.below(6) as usize] += 1;
        }
        // Six standard deviations of a binomial with 60,000 draws at one sixth: 548.
        assert!(
            seen.iter().all(|count| count.abs_diff(10_000) < 548),
            "{seen:?}"
        );
        assert_eq!((rng.below(0), rng.below(1)), (0, 0));
        // Three quarters of the range: without redrawing, every third would come twice as often.
        let third = |number: u64| number.is_multiple_of(3);
        let count = (0..9_000).filter(|_| third(rng.below(3 << 62))).count();
        assert!(count.abs_diff(3_000) < 300, "{count}");
    }

    #[test]
    fn the_key_stays_out_of_debug_output() {
        assert_eq!(format!("{:?}", Rng::new([1; 32])), "Rng");
    }
}
