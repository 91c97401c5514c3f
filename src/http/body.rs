//! A message's body, from either side: which bytes of the input are its, and when it is over.
//! It copies nothing, keeps nothing, and never looks past the body's end.

use crate::http::chunk::ChunkReader;
use crate::http::problem::Reason;
use crate::http::request::BodyKind;

/// What one call made of its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<'i> {
    /// Bytes of the input that are done with.
    pub consumed: usize,
    /// The body's bytes among them; may be empty where only framing was consumed.
    pub data: &'i [u8],
    /// The body is complete; what follows in the input belongs to the next message.
    pub done: bool,
}

/// How far a body was read.
#[derive(Clone, Debug)]
pub enum BodyReader {
    /// No body, or none any more.
    None,
    /// So many bytes follow.
    Length {
        /// Bytes not seen yet.
        left: u64,
    },
    /// Chunks follow.
    Chunked(ChunkReader),
    /// All that comes until the peer closes (answers only).
    ToClose,
}

impl BodyReader {
    /// The reader of a request's body that may have at most `bytes_max` bytes.
    ///
    /// # Errors
    /// [`Reason::BodyTooLarge`] if its length says that it has more.
    pub fn new(kind: BodyKind, bytes_max: u64) -> Result<BodyReader, Reason> {
        match kind {
            BodyKind::None | BodyKind::Length(0) => Ok(BodyReader::None),
            BodyKind::Length(length) if length > bytes_max => Err(Reason::BodyTooLarge),
            BodyKind::Length(length) => Ok(BodyReader::Length { left: length }),
            BodyKind::Chunked => Ok(BodyReader::Chunked(ChunkReader::new(bytes_max))),
        }
    }

    /// Takes the next piece off the input. Call it with what is left until nothing is consumed or
    /// the body is done. Then it goes on saying so and consumes nothing.
    ///
    /// # Errors
    /// The framing is broken or the limit passed; nothing that follows may be interpreted.
    pub fn read<'i>(&mut self, input: &'i [u8]) -> Result<Piece<'i>, Reason> {
        match self {
            BodyReader::None => Ok(Piece {
                consumed: 0,
                data: &[],
                done: true,
            }),
            BodyReader::Length { left } => {
                let data = take(input, left);
                Ok(Piece {
                    consumed: data.len(),
                    data,
                    done: *left == 0,
                })
            }
            BodyReader::Chunked(chunks) => chunks.read(input),
            BodyReader::ToClose => Ok(Piece {
                consumed: input.len(),
                data: input,
                done: false,
            }),
        }
    }

    /// Whether the peer's close completes the body rather than cutting it off.
    #[must_use]
    pub fn ends_with_close(&self) -> bool {
        match self {
            BodyReader::None | BodyReader::ToClose => true,
            BodyReader::Length { left } => *left == 0,
            BodyReader::Chunked(chunks) => chunks.is_done(),
        }
    }
}

/// Up to `left` bytes of the input; `left` goes down by as many.
pub(super) fn take<'i>(input: &'i [u8], left: &mut u64) -> &'i [u8] {
    let len = usize::try_from(*left)
        .unwrap_or(usize::MAX)
        .min(input.len());
    *left -= len as u64;
    input.get(..len).unwrap_or_default()
}
