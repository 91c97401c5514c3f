//! Our line to a name server: one question, one answer, each behind its length (RFC 1035 section
//! 4.2.2). It knows nothing of what they say.

use crate::base::buf::Buf;
use crate::base::frame::Gather;
use crate::base::slab::Key;

/// Bytes of an answer: far more than the addresses that are taken from one.
const ANSWER_BYTES_MAX: usize = 16 << 10;

/// A line to a name server.
#[derive(Debug)]
pub struct TcpQuery {
    exchange: Key,
    /// The question behind its length.
    packet: Vec<u8>,
    sent: usize,
    connected: bool,
    unread: Buf,
}

/// What came of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    /// More is to come.
    Part,
    /// The whole answer, without its length.
    Answer(Vec<u8>),
    /// No answer will come of this.
    Nonsense,
}

impl TcpQuery {
    /// A line that is being connected, to ask what `packet` says.
    #[must_use]
    pub fn connecting(exchange: Key, packet: &[u8]) -> TcpQuery {
        let len = u16::try_from(packet.len()).unwrap_or(u16::MAX);
        let mut framed = Vec::with_capacity(2 + packet.len());
        framed.extend_from_slice(&len.to_be_bytes());
        framed.extend_from_slice(&packet[..usize::from(len)]);
        TcpQuery {
            exchange,
            packet: framed,
            sent: 0,
            connected: false,
            unread: Buf::default(),
        }
    }

    /// The resolver's name for what is asked.
    #[must_use]
    pub fn exchange(&self) -> Key {
        self.exchange
    }

    /// The question may go out.
    pub fn connected(&mut self) {
        self.connected = true;
    }

    /// Appends what is to be written.
    pub fn outgoing<'a>(&'a self, gather: &mut Gather<'a>) {
        if self.connected {
            gather.push(&self.packet[self.sent..]);
        }
    }

    /// That many bytes were accepted.
    pub fn wrote(&mut self, bytes: usize) {
        self.sent = (self.sent + bytes).min(self.packet.len());
    }

    /// Whether bytes wait to be written.
    #[must_use]
    pub fn has_output(&self) -> bool {
        self.connected && self.sent < self.packet.len()
    }

    /// Bytes came.
    pub fn received(&mut self, bytes: &[u8]) -> Heard {
        self.unread.append(bytes);
        let Some((len, rest)) = self.unread.as_slice().split_first_chunk::<2>() else {
            return Heard::Part;
        };
        let len = usize::from(u16::from_be_bytes(*len));
        // Before the question was out nothing can answer it.
        if len > ANSWER_BYTES_MAX || self.has_output() {
            return Heard::Nonsense;
        }
        match rest.get(..len) {
            Some(answer) => Heard::Answer(answer.to_vec()),
            None => Heard::Part,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> TcpQuery {
        let key = Key::from_bits(1 << 32).unwrap();
        let mut line = TcpQuery::connecting(key, b"question");
        let mut gather = Gather::new();
        line.outgoing(&mut gather);
        assert!(gather.is_empty() && !line.has_output(), "not connected yet");
        line.connected();
        line
    }

    #[test]
    fn the_question_goes_out_behind_its_length_however_it_is_cut() {
        let mut line = line();
        let mut sent = Vec::new();
        while line.has_output() {
            let mut gather = Gather::new();
            line.outgoing(&mut gather);
            sent.push(gather.slices()[0][0]);
            line.wrote(1);
        }
        assert_eq!(sent, b"\0\x08question");
    }

    #[test]
    fn the_answer_is_whole_however_it_is_cut() {
        for size in 1..=8 {
            let mut line = line();
            line.wrote(10);
            let mut heard = Heard::Part;
            for part in b"\0\x06answer".chunks(size) {
                assert_eq!(heard, Heard::Part, "in pieces of {size}");
                heard = line.received(part);
            }
            assert_eq!(
                heard,
                Heard::Answer(b"answer".to_vec()),
                "in pieces of {size}"
            );
        }
    }

    #[test]
    fn what_is_too_long_or_too_early_is_nonsense() {
        assert_eq!(line().received(b"\0\x06answer"), Heard::Nonsense);
        let mut line = line();
        line.wrote(10);
        assert_eq!(line.received(b"\x40"), Heard::Part);
        assert_eq!(line.received(b"\x01"), Heard::Nonsense);
    }
}
