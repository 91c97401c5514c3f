//! An answer that is wanted whole: its call ends with the last byte of the body, or with whatever
//! keeps that from coming. It judges framing and size, never what a body says.

use super::faults::protocol;
use super::{Outbound, Phase, Verdict};
use crate::base::ledger::Ledger;
use crate::http::body::BodyReader;
use crate::http::response::{Framing, ResponseHead};
use crate::model::Ending;

/// An answer whose body is still coming.
#[derive(Debug)]
pub(super) struct Whole {
    reader: BodyReader,
    /// How the call ends when the body is complete.
    ending: Ending,
    /// Whether the line may be used again then.
    reusable: bool,
}

impl Whole {
    /// How the call ends if the target closes the line now: a close completes only a body that has
    /// no other end.
    pub(super) fn closed(self) -> Option<Ending> {
        self.reader.ends_with_close().then_some(self.ending)
    }
}

/// The account of memory has no room for the body; the target is not to blame.
pub(super) const MEMORY_FULL: &str = "memory_full";
/// Bodies that may be larger than this are a publisher's, whom anybody may have named.
const SMALL_BYTES: usize = 4_096;

impl Outbound {
    /// The final head is here, and the body decides. The line may be used again afterwards if the
    /// request was `sent` completely. The error is why there will be no body.
    pub(super) fn expect_body(
        &mut self,
        memory: &mut Ledger,
        head: &ResponseHead<'_>,
        ending: Ending,
        sent: bool,
    ) -> Result<Option<Verdict>, Ending> {
        self.hold(memory, self.kept.len())?;
        let (reader, reusable) = (head.body.reader(), head.keep_alive && sent);
        match reader {
            BodyReader::None => return Ok(self.complete(ending, reusable)),
            // Where it ends is a guess, and half of it could be taken for the whole.
            _ if head.framing == Framing::Malformed => return Err(protocol("bad_framing")),
            BodyReader::Length { left } if left > self.kept.max() as u64 => {
                self.kept.cut();
                return Ok(self.complete(ending, false));
            }
            _ => {}
        }
        self.phase = Phase::Whole(Whole {
            reader,
            ending,
            reusable,
        });
        Ok(None)
    }

    /// The next bytes of the body: how many were used, and the verdict if it fell.
    pub(super) fn feed_whole(
        &mut self,
        memory: &mut Ledger,
        rest: &[u8],
    ) -> Result<Option<(usize, Option<Verdict>)>, Ending> {
        let Phase::Whole(whole) = &mut self.phase else {
            return Ok(None);
        };
        let Ok(piece) = whole.reader.read(rest) else {
            return Err(protocol("bad_chunk"));
        };
        let (ending, reusable) = (whole.ending.clone(), whole.reusable);
        self.hold(memory, self.kept.room().min(piece.data.len()))?;
        self.kept.body(piece.data);
        let verdict = if self.kept.is_cut() {
            self.complete(ending, false)
        } else if piece.done {
            self.complete(ending, reusable)
        } else if piece.consumed == 0 {
            return Ok(None);
        } else {
            None
        };
        Ok(Some((piece.consumed, verdict)))
    }

    fn complete(&mut self, ending: Ending, reusable: bool) -> Option<Verdict> {
        self.phase = if reusable { Phase::Ready } else { Phase::Gone };
        self.conclude(ending)
    }

    /// Takes room on the account before it is used.
    fn hold(&mut self, memory: &mut Ledger, bytes: usize) -> Result<(), Ending> {
        let taken = match self.kept.max() > SMALL_BYTES {
            true => memory.take_for_strangers(bytes as u64),
            false => memory.take(bytes as u64),
        };
        if !taken {
            return Err(protocol(MEMORY_FULL));
        }
        self.held += bytes as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
