//! What the store still has after a failure: everything but messages that can be refused. It is
//! repeated, in its order, once the file can be written again.

use std::collections::BTreeSet;

use super::exchange::Handed;
use super::record::number_of;
use super::writer::Memo;
use crate::port::{Seq, StoreOp};

/// Bytes of answers at most; beyond it what was answered is forgotten, and what came of it is not.
const ANSWERS_MAX: usize = 16 << 20;

/// Operations to repeat, and messages to remove.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// The operations, and what they may have done already.
    pub(super) ops: Vec<(Handed, Memo)>,
    /// Messages that were refused and may be in the file all the same.
    pub(super) refused: BTreeSet<i64>,
    answers: usize,
}

impl Kept {
    /// Takes over a batch that failed or can only fail; the number of the last operation if a
    /// message was lost. `reached` says that some of it may be in the file.
    pub(super) fn take_over(
        &mut self,
        batch: impl Iterator<Item = (Handed, Memo)>,
        reached: bool,
    ) -> Option<Seq> {
        let mut lost = BTreeSet::new();
        let mut last = None;
        for ((seq, mut op), memo) in batch {
            last = Some(seq);
            match &mut op {
                StoreOp::Accept { message, promised } if !*promised => {
                    lost.insert(number_of(message.id));
                    continue;
                }
                StoreOp::Work(work) if lost.contains(&number_of(work.id)) => continue,
                StoreOp::Later { attempt, .. } | StoreOp::End { attempt, .. } => {
                    let bytes = attempt.as_ref().map_or(0, |attempt| attempt.bytes());
                    if self.answers + bytes > ANSWERS_MAX {
                        attempt.iter_mut().for_each(|attempt| attempt.answer = None);
                    } else {
                        self.answers += bytes;
                    }
                }
                StoreOp::Rest { body, .. } => {
                    if self.answers + body.len() > ANSWERS_MAX {
                        continue;
                    }
                    self.answers += body.len();
                }
                _ => {}
            }
            self.ops.push(((seq, op), memo));
        }
        let last = last.filter(|_| !lost.is_empty());
        if reached {
            self.refused.append(&mut lost);
        }
        last
    }

    /// All of it is in the file.
    pub(super) fn clear(&mut self) {
        *self = Kept::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Outcome;
    use crate::store::sqlite::tests::testing::{attempt, end, id, message, work};

    fn accept(number: u64, promised: bool) -> StoreOp {
        StoreOp::Accept {
            message: message(number, b"x").into(),
            promised,
        }
    }

    fn ended(bytes: usize) -> StoreOp {
        let mut attempt = attempt(1, 500);
        attempt.answer.as_mut().unwrap().body = vec![0; bytes].into();
        StoreOp::End {
            id: id(1),
            number: 1,
            end: end(Outcome::Failed),
            attempt: Some(attempt),
        }
    }

    fn take(kept: &mut Kept, ops: Vec<StoreOp>, reached: bool) -> Option<Seq> {
        let handed = ops.into_iter().zip(10..).map(|(op, seq)| (seq, op));
        kept.take_over(handed.map(|op| (op, Memo::default())), reached)
    }

    #[test]
    fn only_messages_that_nobody_was_promised_are_lost() {
        let mut kept = Kept::default();
        let ops = vec![
            accept(5, false),
            StoreOp::Work(work(5, 1, 1, 0)),
            accept(6, true),
            StoreOp::Work(work(6, 1, 1, 0)),
            StoreOp::Work(work(4, 2, 1, 0)),
            ended(3),
        ];
        assert_eq!(take(&mut kept, ops, true), Some(15));
        let left: Vec<Seq> = kept.ops.iter().map(|((seq, _), _)| *seq).collect();
        assert_eq!(left, [12, 13, 14, 15]);
        assert_eq!(kept.refused.iter().copied().collect::<Vec<_>>(), [5]);
        assert_eq!(take(&mut kept, vec![ended(3)], true), None);
        assert_eq!(take(&mut kept, vec![accept(7, false)], false), Some(10));
        assert_eq!(kept.refused.len(), 1, "it never reached the file");
    }

    #[test]
    fn answers_make_way_before_ends_do() {
        let mut kept = Kept::default();
        let ops = (0..40).map(|_| ended(1 << 20)).collect();
        take(&mut kept, ops, true);
        assert_eq!(kept.ops.len(), 40);
        let held = kept
            .ops
            .iter()
            .map(|((_, op), _)| op.bytes())
            .sum::<usize>();
        assert!(held <= ANSWERS_MAX, "{held}");
        assert!(held > ANSWERS_MAX - (2 << 20), "{held}");
    }
}
