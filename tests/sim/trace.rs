//! What passed between the engine and the world: a hash over all of it, and its last lines for
//! people.
//! It judges nothing.

use std::collections::VecDeque;
use std::fmt;

/// Lines kept for a failure's report.
const KEPT: usize = 60;

/// One thing that passed.
#[derive(Clone, Copy, Debug)]
struct Entry {
    turn: u64,
    at: u64,
    verb: &'static str,
    line: u64,
    amount: u64,
}

/// The hash (FNV-1a over 64-bit words) and the last entries.
#[derive(Debug)]
pub struct Trace {
    hash: u64,
    turn: u64,
    last: VecDeque<Entry>,
}

impl Trace {
    /// Nothing has passed.
    pub fn new() -> Trace {
        Trace {
            hash: 0xcbf2_9ce4_8422_2325,
            turn: 0,
            last: VecDeque::with_capacity(KEPT),
        }
    }

    /// A turn of the loop begins.
    pub fn turn(&mut self) {
        self.turn += 1;
    }

    /// Takes one fact or action down. `line` and `amount` are whatever tells it from others.
    pub fn note(&mut self, at: u64, verb: &'static str, line: u64, amount: u64) {
        self.mix(at);
        verb.bytes().for_each(|byte| self.mix(u64::from(byte)));
        self.mix(line);
        self.mix(amount);
        if self.last.len() == KEPT {
            self.last.pop_front();
        }
        self.last.push_back(Entry {
            turn: self.turn,
            at,
            verb,
            line,
            amount,
        });
    }

    /// The same, with the bytes that passed.
    pub fn bytes(&mut self, at: u64, verb: &'static str, line: u64, bytes: &[u8]) {
        for word in bytes.chunks(8) {
            let mut padded = [0; 8];
            padded[..word.len()].copy_from_slice(word);
            self.mix(u64::from_le_bytes(padded));
        }
        self.note(at, verb, line, bytes.len() as u64);
    }

    /// The hash over everything so far.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    fn mix(&mut self, word: u64) {
        self.hash = (self.hash ^ word)
            .wrapping_mul(0x0000_0100_0000_01b3)
            .rotate_left(23);
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "last {} of the trace (hash {:016x}):",
            self.last.len(),
            self.hash
        )?;
        for entry in &self.last {
            writeln!(
                out,
                "  turn {:>6} {:>16.6}s {:<14} line={:x}.{} {}",
                entry.turn,
                entry.at as f64 / 1e6,
                entry.verb,
                entry.line >> 32,
                entry.line as u32,
                entry.amount,
            )?;
        }
        Ok(())
    }
}
