//! One message's log: records of its attempts and endings, one behind the other in one buffer, so
//! that a message costs no allocation but this. It formats nothing for people.

use crate::base::time::Wall;
use crate::model::{Answer, Message, Method, Outcome};

/// Attempts of one delivery that are kept; older ones go.
pub(crate) const ATTEMPTS_MAX: usize = 16;

/// A message's log.
#[derive(Debug, Default)]
pub(crate) struct Log {
    bytes: Vec<u8>,
}

/// An attempt that has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt<'a> {
    /// The delivery's number.
    pub(crate) number: u32,
    /// The attempt's number.
    pub(crate) attempt: u32,
    /// When it began.
    pub(crate) at: Wall,
    /// How long it took, in microseconds.
    pub(crate) took: u64,
    /// What was answered; zero for nothing.
    pub(crate) status: u16,
    /// Why it failed, the word of the API; empty if it did not.
    pub(crate) error: &'static str,
    /// The rest of it.
    pub(crate) detail: &'static str,
    /// What was answered.
    pub(crate) answer: Option<Answer<'a>>,
}

/// The body of an answer that took longer than its head.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rest<'a> {
    /// The delivery's number.
    pub(crate) number: u32,
    /// The attempt's number.
    pub(crate) attempt: u32,
    /// The body.
    pub(crate) body: &'a [u8],
    /// There is more than that.
    pub(crate) truncated: bool,
}

impl Rest<'_> {
    /// Bytes that it adds to a log.
    pub(crate) fn bytes(&self) -> u64 {
        (HEAD_BYTES + 4 + 4 + 1 + 4 + self.body.len()) as u64
    }
}

/// A record as it is read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Record<'a> {
    /// What the message was; once, when it has ended.
    Message {
        /// When it was accepted.
        accepted: Wall,
        /// The method of its calls.
        method: &'a [u8],
        /// Its label; empty for none.
        label: &'a [u8],
        /// Its topics, each behind its length in two bytes.
        topics: &'a [u8],
    },
    /// An attempt.
    Attempt {
        /// The delivery's number.
        number: u32,
        /// The attempt's number.
        attempt: u32,
        /// When it began.
        at: Wall,
        /// In microseconds.
        took: u64,
        /// Zero for no answer.
        status: u16,
        /// The word of the API; empty for none.
        error: &'a [u8],
        /// The rest of it.
        detail: &'a [u8],
        /// More than what follows was answered.
        truncated: bool,
        /// The answer's head as it came; empty for none.
        head: &'a [u8],
        /// The answer's body.
        body: &'a [u8],
    },
    /// The body that belongs to an attempt before.
    Rest {
        /// The delivery's number.
        number: u32,
        /// The attempt's number.
        attempt: u32,
        /// There is more than that.
        truncated: bool,
        /// The body.
        body: &'a [u8],
    },
    /// A delivery has ended.
    End {
        /// Its number.
        number: u32,
        /// The word of the API.
        outcome: &'a [u8],
        /// Its target, for people.
        url: &'a [u8],
        /// Why it was called off, one word; empty if it was not.
        detail: &'a [u8],
    },
}

/// Bytes before each record: its kind and its length.
const HEAD_BYTES: usize = 5;
const MESSAGE: u8 = 1;
const ATTEMPT: u8 = 2;
const REST: u8 = 3;
const END: u8 = 4;

impl Log {
    /// An empty log in that buffer.
    pub(crate) fn new(mut bytes: Vec<u8>) -> Log {
        bytes.clear();
        Log { bytes }
    }

    /// Bytes of all records.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Gives memory back if there is much more of it than records.
    pub(crate) fn trim(&mut self, spare: usize) {
        if self.bytes.capacity() > self.bytes.len() + spare {
            self.bytes.shrink_to_fit();
        }
    }

    /// The buffer.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    fn record(&mut self, kind: u8, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[kind, 0, 0, 0, 0]);
        write(&mut self.bytes);
        let len = self.bytes.len() - start - HEAD_BYTES;
        let len = u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes();
        if let Some(place) = self.bytes.get_mut(start + 1..start + HEAD_BYTES) {
            place.copy_from_slice(&len);
        }
    }

    /// What the message was.
    pub(crate) fn message(&mut self, message: &Message, method: Method) {
        self.record(MESSAGE, |out| {
            out.extend_from_slice(&message.accepted.0.to_le_bytes());
            text(out, method.as_str().as_bytes());
            let label = message
                .extra
                .as_ref()
                .and_then(|extra| extra.label.as_deref());
            text(out, label.unwrap_or_default().as_bytes());
            for name in message.topics.iter() {
                let len = u16::try_from(name.len()).unwrap_or(u16::MAX);
                out.extend_from_slice(&len.to_be_bytes());
                out.extend_from_slice(name);
            }
        });
    }

    /// An attempt has ended.
    pub(crate) fn attempt(&mut self, attempt: &Attempt<'_>) {
        self.bound(attempt.number);
        self.record(ATTEMPT, |out| {
            out.extend_from_slice(&attempt.number.to_le_bytes());
            out.extend_from_slice(&attempt.attempt.to_le_bytes());
            out.extend_from_slice(&attempt.at.0.to_le_bytes());
            out.extend_from_slice(&attempt.took.to_le_bytes());
            out.extend_from_slice(&attempt.status.to_le_bytes());
            text(out, attempt.error.as_bytes());
            text(out, attempt.detail.as_bytes());
            let answer = attempt.answer.as_ref();
            let (head, body) = answer.map_or((&[][..], &[][..]), |it| (it.head, it.body));
            let unfinished = answer.is_some_and(|it| it.unfinished);
            out.push(u8::from(
                answer.is_some_and(|it| it.truncated || it.unfinished),
            ));
            text(out, head);
            // What is unfinished comes again as a whole.
            text(out, if unfinished { &[] } else { body });
        });
    }

    /// An answer's body is complete, or as complete as it will be.
    pub(crate) fn rest(&mut self, rest: &Rest<'_>) {
        self.record(REST, |out| {
            out.extend_from_slice(&rest.number.to_le_bytes());
            out.extend_from_slice(&rest.attempt.to_le_bytes());
            out.push(u8::from(rest.truncated));
            text(out, rest.body);
        });
    }

    /// A delivery has ended.
    pub(crate) fn end(&mut self, number: u32, outcome: Outcome, url: &str, detail: &str) {
        self.record(END, |out| {
            out.extend_from_slice(&number.to_le_bytes());
            text(out, outcome.as_str().as_bytes());
            text(out, url.as_bytes());
            text(out, detail.as_bytes());
        });
    }

    /// Makes room for one more attempt of a delivery: the oldest goes.
    fn bound(&mut self, of: u32) {
        let is_of =
            |record: &Record<'_>| matches!(record, Record::Attempt { number, .. } if *number == of);
        if self.records().filter(is_of).count() < ATTEMPTS_MAX {
            return;
        }
        let oldest = self.records().find(is_of);
        let Some(Record::Attempt {
            attempt: oldest, ..
        }) = oldest
        else {
            return;
        };
        let mut kept = Vec::with_capacity(self.bytes.len());
        let mut reader = Reader { rest: &self.bytes };
        while let Some((whole, record)) = reader.whole() {
            let Some(
                Record::Attempt {
                    number, attempt, ..
                }
                | Record::Rest {
                    number, attempt, ..
                },
            ) = record
            else {
                kept.extend_from_slice(whole);
                continue;
            };
            if (number, attempt) != (of, oldest) {
                kept.extend_from_slice(whole);
            }
        }
        self.bytes = kept;
    }

    /// The records in their order.
    pub(crate) fn records(&self) -> impl Iterator<Item = Record<'_>> {
        let mut reader = Reader { rest: &self.bytes };
        std::iter::from_fn(move || reader.whole()).filter_map(|(_, record)| record)
    }
}

fn text(out: &mut Vec<u8>, text: &[u8]) {
    let len = u32::try_from(text.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(text);
}

/// Reads what was written above; what does not fit is nothing.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.bytes().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.bytes().map(u64::from_le_bytes)
    }

    fn flag(&mut self) -> Option<bool> {
        self.bytes().map(|[byte]| byte != 0)
    }

    fn text(&mut self) -> Option<&'a [u8]> {
        let len = usize::try_from(self.u32()?).ok()?;
        let (text, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(text)
    }

    /// The next record, as bytes and as what it says.
    fn whole(&mut self) -> Option<(&'a [u8], Option<Record<'a>>)> {
        let start = self.rest;
        let [kind] = self.bytes()?;
        let inner = self.text()?;
        let whole = start.get(..HEAD_BYTES + inner.len())?;
        Some((whole, Reader { rest: inner }.record(kind)))
    }

    fn record(mut self, kind: u8) -> Option<Record<'a>> {
        Some(match kind {
            MESSAGE => Record::Message {
                accepted: Wall(self.u64()?),
                method: self.text()?,
                label: self.text()?,
                topics: self.rest,
            },
            ATTEMPT => Record::Attempt {
                number: self.u32()?,
                attempt: self.u32()?,
                at: Wall(self.u64()?),
                took: self.u64()?,
                status: self.bytes().map(u16::from_le_bytes)?,
                error: self.text()?,
                detail: self.text()?,
                truncated: self.flag()?,
                head: self.text()?,
                body: self.text()?,
            },
            REST => Record::Rest {
                number: self.u32()?,
                attempt: self.u32()?,
                truncated: self.flag()?,
                body: self.text()?,
            },
            END => Record::End {
                number: self.u32()?,
                outcome: self.text()?,
                url: self.text()?,
                detail: self.text()?,
            },
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests;
