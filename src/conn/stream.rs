//! A stream's line: what of its channel it has sent, what it says beside messages, and how it ends.
//! Frames stay in the channel's ring; the line holds one only while it is sent in part. It never
//! reads a message.

use std::net::IpAddr;
use std::time::Duration;

use crate::base::frame::{Frame, Gather};
use crate::base::slab::Key;
use crate::base::time::Mono;

/// The channel's ring, as a stream sees it.
pub trait Source<'a> {
    /// The position behind its last frame.
    fn end(&self) -> u64;
    /// The frame at that position, in the stream's format.
    fn frame(&self, at: u64) -> Option<&'a Frame>;
    /// What of a frame the stream sends.
    fn bytes<'f>(&self, frame: &'f Frame) -> &'f [u8];
}

/// Bytes from the client that are ignored; more ends the stream (streams.md section 7).
const HEARD_BYTES_MAX: u32 = 64 << 10;
/// Time given to the last bytes of a stream that is ended.
const FAREWELL: Duration = Duration::from_secs(5);
/// A reader that falls behind is not told so more often.
const WARNING_PAUSE: Duration = Duration::from_secs(300);

/// What a stream is from its beginning on.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// The number of its style.
    pub style: u8,
    /// By what right it was opened; somebody else's number.
    pub mark: u32,
    /// Idle time after which keep-alive bytes are sent.
    pub keep_alive: Duration,
    /// Whether it loses messages instead of being ended when it is too slow.
    pub drops: bool,
    /// Whether it is told when it falls behind.
    pub warns: bool,
    /// The position behind the last message it gets; `u64::MAX` if there is none.
    pub until: u64,
}

/// A stream's line.
#[derive(Debug)]
pub struct Stream {
    channel: Key,
    /// The position of the next frame to be begun.
    at: u64,
    until: u64,
    /// Bytes that go out before that frame: one that was sent in part, or such as are no message.
    begun: Option<Frame>,
    /// Bytes of `begun` that are sent.
    sent: usize,
    style: u8,
    /// Whether `begun` is a frame of the channel's.
    framed: bool,
    /// Whether it is still on the channel's account, as one that the stream has yet to pass.
    borrows: bool,
    waits: bool,
    ending: bool,
    gone: bool,
    drops: bool,
    warns: bool,
    /// Whether the last bytes that were said are the number of messages lost.
    counts: bool,
    /// When bytes last went out, or began to wait.
    moved: Mono,
    /// Where it sits in its channel; changes when another stream leaves.
    place: u32,
    keep_alive_ms: u32,
    /// Bytes that are no message and go out behind `begun`.
    aside: Option<Frame>,
    /// When it is to be ended, and why; the code is somebody else's.
    ends_at: Mono,
    ends_with: u8,
    /// The second of `Mono` from which on it may be warned again.
    quiet_until: u32,
    /// Messages that it lost.
    lost: u32,
    heard: u32,
    mark: u32,
    peer: IpAddr,
}

/// What a stream's time has come for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Nothing yet.
    Nothing,
    /// It took nothing for too long, or its farewell took too long: it is gone.
    Gone,
    /// It was silent for so long that it needs keep-alive bytes.
    Silence,
    /// It is to be ended, with that code.
    End(u8),
}

impl Stream {
    /// A stream that begins with `head`, which holds its first bytes too, and goes on with the
    /// frame at position `at` of the channel.
    #[must_use]
    pub fn new(
        peer: IpAddr,
        (channel, place, at): (Key, usize, u64),
        terms: Terms,
        head: &[u8],
        now: Mono,
    ) -> Stream {
        let keep_alive = terms.keep_alive.as_millis();
        Stream {
            channel,
            at,
            until: terms.until,
            begun: Some(Frame::copy_of(head)),
            sent: 0,
            style: terms.style,
            framed: false,
            borrows: false,
            waits: true,
            ending: false,
            gone: false,
            drops: terms.drops,
            warns: terms.warns,
            counts: false,
            moved: now,
            place: place as u32,
            keep_alive_ms: u32::try_from(keep_alive).unwrap_or(u32::MAX),
            aside: None,
            ends_at: Mono::NEVER,
            ends_with: 0,
            quiet_until: 0,
            lost: 0,
            heard: 0,
            mark: terms.mark,
            peer,
        }
    }

    /// Appends what is to be written: what was begun first, then frames straight from the ring.
    pub fn outgoing<'a>(&'a self, gather: &mut Gather<'a>, source: &impl Source<'a>) {
        if let Some(begun) = &self.begun {
            gather.push(
                self.begun_bytes(begun, source)
                    .get(self.sent..)
                    .unwrap_or_default(),
            );
            if let Some(aside) = &self.aside {
                gather.push(aside);
            }
        }
        if self.ending {
            return;
        }
        for at in self.at..self.goal(source) {
            match source.frame(at) {
                Some(frame) if gather.push(source.bytes(frame)) => {}
                _ => return,
            }
        }
    }

    fn begun_bytes<'f, 'a>(&self, begun: &'f Frame, source: &impl Source<'a>) -> &'f [u8] {
        if self.framed {
            source.bytes(begun)
        } else {
            begun
        }
    }

    /// That many bytes were accepted. The positions that were passed: from, up to and excluding to.
    /// A frame is passed when it is sent whole.
    pub fn wrote<'a>(&mut self, bytes: usize, source: &impl Source<'a>, now: Mono) -> (u64, u64) {
        let from = self.at();
        let left = self.pass_begun(bytes, source);
        if self.ending {
            // A farewell is not made longer by the bytes that go out.
            self.gone |= self.begun.is_none();
            return (from, from);
        }
        if let Some(left) = left {
            self.pass_frames(left, source);
        }
        // What is left waits from now on: these bytes were proof that the reader lives.
        (self.moved, self.waits) = (now, self.has_output(source));
        (from, self.at())
    }

    /// How many of the bytes were beyond what was begun; none if that is not sent whole.
    fn pass_begun<'a>(&mut self, bytes: usize, source: &impl Source<'a>) -> Option<usize> {
        let mut left = bytes;
        while let Some(begun) = &self.begun {
            let rest = self.begun_bytes(begun, source).len() - self.sent;
            if left < rest {
                self.sent += left;
                return None;
            }
            left -= rest;
            self.begun = self.aside.take();
            (self.sent, self.framed, self.borrows) = (0, false, false);
        }
        Some(left)
    }

    fn pass_frames<'a>(&mut self, bytes: usize, source: &impl Source<'a>) {
        let mut left = bytes;
        while left > 0
            && let Some(frame) = source.frame(self.at)
        {
            self.at += 1;
            let len = source.bytes(frame).len();
            if left < len {
                self.begun = Some(frame.clone());
                (self.sent, self.framed, self.borrows) = (left, true, true);
                return;
            }
            left -= len;
        }
    }

    /// Whether bytes wait to be written.
    #[must_use]
    pub fn has_output<'a>(&self, source: &impl Source<'a>) -> bool {
        let next = || !self.ending && self.at < self.goal(source);
        !self.gone && (self.begun.is_some() || next())
    }

    /// The position behind the last frame that it gets.
    fn goal<'a>(&self, source: &impl Source<'a>) -> u64 {
        source.end().min(self.until)
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
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.heard = self.heard.saturating_add(bytes);
        self.gone |= self.heard > HEARD_BYTES_MAX;
    }

    /// Says something that is no message, between frames, as soon as it can.
    pub fn say(&mut self, bytes: Frame, now: Mono) {
        if bytes.is_empty() {
            return;
        }
        self.counts = false;
        match (&self.begun, &self.aside) {
            (None, _) => self.begun = Some(bytes),
            (Some(_), None) => self.aside = Some(bytes),
            (Some(_), Some(aside)) => {
                let both = [&aside[..], &bytes[..]].concat();
                self.aside = Some(Frame::copy_of(&both));
            }
        }
        self.wake(now);
    }

    /// It moves on to `to` without what is before that. Gives how many messages it has lost in
    /// all, which `say_lost` must be given in the form of its format.
    pub fn skip(&mut self, to: u64) -> u32 {
        // What was begun is finished; the frame is the line's own from now on.
        let skipped = u32::try_from(to.saturating_sub(self.at));
        self.lost = self.lost.saturating_add(skipped.unwrap_or(u32::MAX));
        self.at = self.at.max(to);
        self.borrows = false;
        self.lost
    }

    /// Says how many messages it has lost; once, however often that changes before it is sent.
    pub fn say_lost(&mut self, bytes: Frame, now: Mono) {
        if bytes.is_empty() {
            return;
        }
        match (&self.begun, &self.aside) {
            (Some(_), Some(_)) if self.counts => self.aside = Some(bytes),
            (Some(_), None) if self.counts && self.sent == 0 && !self.framed => {
                self.begun = Some(bytes);
            }
            (_, aside) => {
                let alone = aside.is_none();
                self.say(bytes, now);
                self.counts = alone;
            }
        }
    }

    /// Ends the stream: the frame under way is finished, then comes `farewell`, then the close. The
    /// caller has taken it from its seat.
    pub fn end(&mut self, farewell: Frame, now: Mono) {
        if self.ending {
            return;
        }
        self.say(farewell, now);
        (self.ending, self.moved, self.waits) = (true, now, true);
        self.gone |= self.begun.is_none();
    }

    /// The line is of no use any more.
    pub fn abandon(&mut self) {
        self.gone = true;
    }

    /// By what right it was opened.
    #[must_use]
    pub fn mark(&self) -> u32 {
        self.mark
    }

    /// It is to be ended at that time with that code, unless it was to be ended before.
    pub fn end_at(&mut self, at: Mono, code: u8) {
        if at < self.ends_at {
            (self.ends_at, self.ends_with) = (at, code);
        }
    }

    /// What its time has come for; `stall` is how long it may take nothing.
    pub fn expired(&mut self, stall: Duration, now: Mono) -> Due {
        if self.deadline(stall) > now {
            return Due::Nothing;
        }
        if self.ending || (self.waits && self.moved + stall <= now) {
            self.gone = true;
            return Due::Gone;
        }
        if self.ends_at <= now {
            return Due::End(self.ends_with);
        }
        Due::Silence
    }

    /// When `expired` has something to say, if nothing happens before.
    #[must_use]
    pub fn deadline(&self, stall: Duration) -> Mono {
        if self.ending {
            return self.moved + FAREWELL;
        }
        let quiet = if self.waits { stall } else { self.keep_alive() };
        (self.moved + quiet).min(self.ends_at)
    }

    /// When to look again: its deadline, or the earliest that it can become whatever happens, so
    /// that nothing that happens needs to move the line's node.
    #[must_use]
    pub fn looked_at(&self, stall: Duration, now: Mono) -> Mono {
        let nearest = now + self.keep_alive().min(stall);
        self.deadline(stall).min(nearest)
    }

    fn keep_alive(&self) -> Duration {
        Duration::from_millis(self.keep_alive_ms.into())
    }

    /// Nobody wrote for so long, which does not count against its reader. A sign of life is due all
    /// the same.
    pub fn postpone(&mut self, by: Duration) {
        if self.waits || self.ending {
            self.moved = self.moved + by;
        }
    }

    /// Whether it is to be told now that it falls behind; not again for a while.
    pub fn warn(&mut self, now: Mono) -> bool {
        let second = |at: Mono| u32::try_from(at.0 / 1_000_000).unwrap_or(u32::MAX);
        let warns = self.warns && !self.ending && self.quiet_until <= second(now);
        if warns {
            self.quiet_until = second(now + WARNING_PAUSE);
        }
        warns
    }

    /// The client's address.
    #[must_use]
    pub fn peer(&self) -> IpAddr {
        self.peer
    }

    /// Its channel.
    #[must_use]
    pub fn channel(&self) -> Key {
        self.channel
    }

    /// The number of its style.
    #[must_use]
    pub fn style(&self) -> usize {
        self.style.into()
    }

    /// Its place among the channel's streams.
    #[must_use]
    pub fn place(&self) -> usize {
        self.place as usize
    }

    /// It took over the place of a stream that left.
    pub fn move_to(&mut self, place: usize) {
        self.place = place as u32;
    }

    /// The position of the first frame that is not sent whole.
    #[must_use]
    pub fn at(&self) -> u64 {
        self.at - u64::from(self.borrows)
    }

    /// Whether it has got all that it asked for.
    #[must_use]
    pub fn is_served(&self) -> bool {
        !self.ending && self.at() >= self.until
    }

    /// Messages that it has lost.
    #[must_use]
    pub fn lost(&self) -> u32 {
        self.lost
    }

    /// Whether it loses messages instead of being ended.
    #[must_use]
    pub fn drops(&self) -> bool {
        self.drops
    }

    /// Whether it is told when it falls behind.
    #[must_use]
    pub fn warns(&self) -> bool {
        self.warns
    }

    /// Whether bytes wait for the reader to take them.
    #[must_use]
    pub fn waits(&self) -> bool {
        self.waits
    }

    /// Whether it has been ended and sits in its channel no more.
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
