//! Bytes as they come, cut into lines. What was searched is not searched again, and a line without
//! an end is told from one that is only long.

/// Lines of which the last may not be whole.
pub(super) struct Cutter {
    buf: Vec<u8>,
    /// Bytes of `buf` that are done with.
    done: usize,
    /// Bytes of `buf` in which there is no other line end.
    searched: usize,
    line_bytes_max: usize,
}

impl Cutter {
    /// None yet; a line may have so many bytes, and what is read at once more.
    pub(super) fn new(line_bytes_max: usize) -> Cutter {
        Cutter {
            buf: Vec::new(),
            done: 0,
            searched: 0,
            line_bytes_max,
        }
    }

    /// Where to append what comes.
    pub(super) fn buf(&mut self) -> &mut Vec<u8> {
        self.buf.drain(..self.done);
        self.searched -= self.done;
        self.done = 0;
        &mut self.buf
    }

    /// The next whole line, without its end.
    pub(super) fn line(&mut self) -> Option<&[u8]> {
        let rest = self.buf.get(self.searched..).unwrap_or_default();
        let Some(at) = memchr::memchr(b'\n', rest) else {
            self.searched = self.buf.len();
            return None;
        };
        let (begin, end) = (self.done, self.searched + at);
        self.done = end + 1;
        self.searched = self.done;
        self.buf.get(begin..end)
    }

    /// What is no whole line yet.
    pub(super) fn rest(&self) -> &[u8] {
        self.buf.get(self.done..).unwrap_or_default()
    }

    /// Whether that is more than a line may have.
    pub(super) fn is_too_long(&self) -> bool {
        self.rest().len() > self.line_bytes_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_whole_however_they_are_cut_and_are_searched_once() {
        for size in 1..9 {
            let mut cutter = Cutter::new(4);
            let mut found: Vec<Vec<u8>> = Vec::new();
            for piece in b"ab\n\ncde\r\nlast".chunks(size) {
                cutter.buf().extend_from_slice(piece);
                while let Some(line) = cutter.line() {
                    found.push(line.to_vec());
                }
                assert_eq!(cutter.searched, cutter.buf.len());
            }
            assert_eq!(found, [&b"ab"[..], b"", b"cde\r"], "{size}");
            assert_eq!(cutter.rest(), b"last");
            assert!(!cutter.is_too_long());
            cutter.buf().push(b'.');
            assert!(cutter.is_too_long());
        }
    }
}
