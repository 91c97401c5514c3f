//! A stream's line: what of its topic it has sent, and how it ends. Frames stay in the topic's
//! ring; the line holds one only while it is sent in part. It never reads a message.

use std::net::IpAddr;
use std::time::Duration;

use crate::base::frame::{Frame, Gather};
use crate::base::slab::Key;
use crate::base::time::Mono;

/// The topic's ring, as a stream sees it.
pub trait Source {
    /// The frame at that position, in the stream's format.
    fn frame(&self, at: u64) -> Option<&Frame>;
}

/// Bytes from the client that are ignored; more ends the stream (streams.md section 7).
const HEARD_BYTES_MAX: usize = 64 << 10;
/// Idle time after which keep-alive bytes are sent.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// Time given to the last bytes of a stream that is ended.
const FAREWELL: Duration = Duration::from_secs(5);

/// A stream's line.
#[derive(Debug)]
pub struct Stream {
    /// Where it sits in its topic; changes when another stream leaves.
    place: usize,
    topic: Key,
    /// The number of its format.
    format: usize,
    peer: IpAddr,
    /// The position of the next frame to be begun.
    at: u64,
    /// The answer's head and first bytes, until they are sent.
    head: Vec<u8>,
    /// A frame that was sent in part, or keep-alive bytes.
    partial: Option<Frame>,
    /// Whether `partial` is the topic's: it stays on the topic's account until it is sent whole.
    borrows: bool,
    /// Bytes of `head`, of `partial` or of `tail` that are sent.
    sent: usize,
    /// The terminator, once it is ending.
    tail: &'static [u8],
    ending: bool,
    gone: bool,
    heard: usize,
    /// When bytes last went out, or began to wait.
    moved: Mono,
    waits: bool,
}

impl Stream {
    /// A stream that begins with `head`, which holds its first bytes too, and goes on with the
    /// topic's frame at position `at`.
    #[must_use]
    pub fn new(
        peer: IpAddr,
        format: usize,
        topic: Key,
        place: usize,
        at: u64,
        head: Vec<u8>,
        now: Mono,
    ) -> Stream {
        Stream {
            place,
            topic,
            format,
            peer,
            at,
            head,
            partial: None,
            borrows: false,
            sent: 0,
            tail: b"",
            ending: false,
            gone: false,
            heard: 0,
            moved: now,
            waits: true,
        }
    }

    /// Appends what is to be written: what was begun first, then frames straight from the ring.
    pub fn outgoing<'a>(
        &'a self,
        gather: &mut Gather<'a>,
        frame: impl Fn(u64) -> Option<&'a Frame>,
    ) {
        let mut sent = self.sent;
        for part in [&self.head[..], self.partial.as_deref().unwrap_or_default()] {
            gather.push(&part[sent.min(part.len())..]);
            sent = sent.saturating_sub(part.len());
        }
        let mut at = self.at;
        while !self.ending
            && let Some(frame) = frame(at)
            && gather.push(frame)
        {
            at += 1;
        }
        // There is a tail only on a stream that is ending, which takes no more frames.
        gather.push(&self.tail[sent..]);
    }

    /// That many bytes were accepted. The positions that were passed: from, up to and excluding to.
    /// A frame is passed when it is sent whole.
    pub fn wrote(&mut self, bytes: usize, source: &impl Source, now: Mono) -> (u64, u64) {
        let from = self.at();
        self.pass(bytes, source);
        // What is left waits from now on: these bytes were proof that the reader lives. A farewell
        // is not made longer by them.
        if !self.ending {
            (self.moved, self.waits) = (now, self.has_output(source));
        }
        (from, self.at())
    }

    fn pass(&mut self, bytes: usize, source: &impl Source) {
        let begun = self.head.len() + self.partial.as_ref().map_or(0, |frame| frame.len());
        let mut left = self.sent + bytes;
        if left < begun {
            self.sent = left;
            return;
        }
        left -= begun;
        (self.head, self.partial, self.sent) = (Vec::new(), None, 0);
        self.borrows = false;
        while !self.ending
            && left > 0
            && let Some(frame) = source.frame(self.at)
        {
            self.at += 1;
            if left < frame.len() {
                self.partial = Some(frame.clone());
                self.borrows = true;
                self.sent = left;
                return;
            }
            left -= frame.len();
        }
        self.sent = left;
        self.gone |= self.ending && left >= self.tail.len();
    }

    /// Whether bytes wait to be written.
    #[must_use]
    pub fn has_output(&self, source: &impl Source) -> bool {
        let begun = !self.head.is_empty() || self.partial.is_some() || !self.tail.is_empty();
        !self.gone && (begun || (!self.ending && source.frame(self.at).is_some()))
    }

    /// A message was published: the time in which the reader must take bytes begins to run.
    /// True if it ran not yet.
    pub fn wake(&mut self, now: Mono) -> bool {
        let begins = !self.waits;
        if begins {
            (self.moved, self.waits) = (now, true);
        }
        begins
    }

    /// Bytes came from the client, which has nothing to say.
    pub fn heard(&mut self, bytes: usize) {
        self.heard += bytes;
        self.gone |= self.heard > HEARD_BYTES_MAX;
    }

    /// Ends the stream: the frame under way is finished, then the terminator, then the close. The
    /// caller has taken it from its seat.
    pub fn end(&mut self, terminator: &'static [u8], now: Mono) {
        if self.ending {
            return;
        }
        (self.ending, self.tail, self.moved, self.waits) = (true, terminator, now, true);
        if self.head.is_empty() && self.partial.is_none() {
            self.sent = 0;
            self.gone |= terminator.is_empty();
        }
    }

    /// The line is of no use any more.
    pub fn abandon(&mut self) {
        self.gone = true;
    }

    /// Its deadline has passed: a reader that took nothing is given up, an idle one is reminded.
    pub fn expired(&mut self, keep_alive: &Frame, now: Mono) {
        if self.ending || self.waits {
            self.gone = true;
            return;
        }
        self.partial = Some(keep_alive.clone());
        (self.moved, self.waits) = (now, true);
    }

    /// When `expired` is due.
    #[must_use]
    pub fn deadline(&self, stall: Duration) -> Mono {
        match (self.ending, self.waits) {
            (true, _) => self.moved + FAREWELL,
            (false, true) => self.moved + stall,
            (false, false) => self.moved + KEEP_ALIVE,
        }
    }

    /// The client's address.
    #[must_use]
    pub fn peer(&self) -> IpAddr {
        self.peer
    }

    /// Its topic.
    #[must_use]
    pub fn topic(&self) -> Key {
        self.topic
    }

    /// The number of its format.
    #[must_use]
    pub fn format(&self) -> usize {
        self.format
    }

    /// Its place among the topic's streams.
    #[must_use]
    pub fn place(&self) -> usize {
        self.place
    }

    /// It took over the place of a stream that left.
    pub fn move_to(&mut self, place: usize) {
        self.place = place;
    }

    /// The position of the first frame that is not sent whole.
    #[must_use]
    pub fn at(&self) -> u64 {
        self.at - u64::from(self.borrows)
    }

    /// Whether bytes wait for the reader to take them.
    #[must_use]
    pub fn waits(&self) -> bool {
        self.waits
    }

    /// Whether it has been ended and sits in its topic no more.
    #[must_use]
    pub fn is_ending(&self) -> bool {
        self.ending
    }

    /// Whether the line is to be closed.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.gone
    }
}
