//! The chunked coding (RFC 9112 section 7.1), read strictly and without a buffer.
//! It never keeps an extension or a trailer field: their grammar is checked, their words dropped.
//!
//! ```text
//! Size --> Line(extensions) --> LineEnd --> Data --> DataCr --> DataLf --> Size …
//!                                  `- size 0 -> TrailerStart <-> Trailer -> Done
//! ```
//! httparse's chunk line parser is not used: it takes an empty line for size 0 and LF for an end.

use crate::http::body::{Piece, take};
use crate::http::field::{is_token, is_value};
use crate::http::problem::Reason;

/// Extensions of all chunks of one body, in bytes.
const EXTENSION_BYTES_MAX: u32 = 16 * 1024;
/// The trailer section, in bytes and fields.
const TRAILER_BYTES_MAX: u32 = 8 * 1024;
const TRAILER_FIELDS_MAX: u32 = 32;
const SIZE_DIGITS_MAX: u8 = 16;

/// How far a chunked body was read.
#[derive(Clone, Debug)]
pub struct ChunkReader {
    state: State,
    /// Bytes of the chunk at hand that are still to come.
    left: u64,
    /// Bytes that further chunks may have.
    room: u64,
    extension_bytes: u32,
    trailer_bytes: u32,
    trailer_fields: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Size { digits: u8 },
    Extension(Extension),
    LineEnd,
    Data,
    DataCr,
    DataLf,
    TrailerStart,
    TrailerName,
    TrailerSpace,
    TrailerValue,
    TrailerEnd,
    LastLf,
    Done,
}

/// Where in `*( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] )` a chunk line stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extension {
    BeforeSemicolon,
    BeforeName,
    Name,
    AfterName,
    BeforeValue,
    Token,
    Quoted,
    Escaped,
    AfterQuoted,
}

impl ChunkReader {
    /// A reader of a body that may have at most `bytes_max` bytes.
    #[must_use]
    pub fn new(bytes_max: u64) -> ChunkReader {
        ChunkReader {
            state: State::Size { digits: 0 },
            left: 0,
            room: bytes_max,
            extension_bytes: 0,
            trailer_bytes: 0,
            trailer_fields: 0,
        }
    }

    /// Whether the last chunk and the trailer section are behind us.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Takes the next piece off the input: framing up to and including one slice of data.
    ///
    /// # Errors
    /// The first rule that the bytes break, in their order.
    pub fn read<'i>(&mut self, input: &'i [u8]) -> Result<Piece<'i>, Reason> {
        let mut consumed = 0;
        while self.state != State::Done {
            let rest = input.get(consumed..).unwrap_or_default();
            let Some(byte) = rest.first() else { break };
            if self.state == State::Data {
                let data = take(rest, &mut self.left);
                if self.left == 0 {
                    self.state = State::DataCr;
                }
                return Ok(Piece {
                    consumed: consumed + data.len(),
                    data,
                    done: false,
                });
            }
            self.state = self.step(*byte)?;
            consumed += 1;
        }
        Ok(Piece {
            consumed,
            data: &[],
            done: self.state == State::Done,
        })
    }

    fn step(&mut self, byte: u8) -> Result<State, Reason> {
        match self.state {
            State::Size { digits } => self.size(digits, byte),
            State::Extension(extension) => self.extension(extension, byte),
            State::LineEnd => match (byte, self.left) {
                (b'\n', 0) => Ok(State::TrailerStart),
                (b'\n', _) => Ok(State::Data),
                _ => Err(Reason::BadChunkEnd),
            },
            State::DataCr if byte == b'\r' => Ok(State::DataLf),
            State::DataLf if byte == b'\n' => Ok(State::Size { digits: 0 }),
            State::DataCr | State::DataLf => Err(Reason::BadChunkEnd),
            State::Data | State::Done => Ok(self.state),
            _ => self.trailer(byte),
        }
    }

    fn size(&mut self, digits: u8, byte: u8) -> Result<State, Reason> {
        if let Some(digit) = char::from(byte).to_digit(16) {
            if digits == SIZE_DIGITS_MAX {
                return Err(Reason::BadChunkSize);
            }
            self.left = (self.left << 4) | u64::from(digit);
            return Ok(State::Size { digits: digits + 1 });
        }
        if digits == 0 || self.left > i64::MAX as u64 {
            return Err(Reason::BadChunkSize);
        }
        let next = match byte {
            b'\r' => State::LineEnd,
            b';' | b' ' | b'\t' => self.extension(Extension::BeforeSemicolon, byte)?,
            b'\n' => return Err(Reason::BareLf),
            _ => return Err(Reason::BadChunkSize),
        };
        self.room = self
            .room
            .checked_sub(self.left)
            .ok_or(Reason::BodyTooLarge)?;
        Ok(next)
    }

    fn extension(&mut self, extension: Extension, byte: u8) -> Result<State, Reason> {
        use Extension::{
            AfterName, AfterQuoted, BeforeName, BeforeSemicolon, BeforeValue, Escaped, Name,
            Quoted, Token,
        };
        self.extension_bytes += 1;
        if self.extension_bytes > EXTENSION_BYTES_MAX {
            return Err(Reason::ChunkExtensionsTooLarge);
        }
        let next = match (extension, byte) {
            (_, b'\n') => return Err(Reason::BareLf),
            (Name | Token | AfterQuoted, b'\r') => return Ok(State::LineEnd),
            (Quoted, b'"') => AfterQuoted,
            (Quoted, b'\\') => Escaped,
            (Quoted | Escaped, _) if is_value(byte) => Quoted,
            (BeforeName | BeforeSemicolon | BeforeValue, b' ' | b'\t') => extension,
            (Name | AfterName, b' ' | b'\t') => AfterName,
            (Token | AfterQuoted, b' ' | b'\t') => BeforeSemicolon,
            (BeforeSemicolon | Name | AfterName | Token | AfterQuoted, b';') => BeforeName,
            (Name | AfterName, b'=') => BeforeValue,
            (BeforeValue, b'"') => Quoted,
            (BeforeName | Name, _) if is_token(byte) => Name,
            (BeforeValue | Token, _) if is_token(byte) => Token,
            _ => return Err(Reason::BadChunkExtension),
        };
        Ok(State::Extension(next))
    }

    fn trailer(&mut self, byte: u8) -> Result<State, Reason> {
        self.trailer_bytes += 1;
        if self.trailer_bytes > TRAILER_BYTES_MAX {
            return Err(Reason::TrailersTooLarge);
        }
        match (self.state, byte) {
            (State::TrailerEnd, b'\n') => Ok(State::TrailerStart),
            (State::LastLf, b'\n') => Ok(State::Done),
            (_, b'\n') => Err(Reason::BareLf),
            (State::TrailerEnd, _) => Err(Reason::BadFieldValue),
            (State::TrailerStart, b'\r') => Ok(State::LastLf),
            (State::TrailerStart, b' ' | b'\t') if self.trailer_fields == 0 => {
                Err(Reason::SpaceBeforeField)
            }
            (State::TrailerStart, b' ' | b'\t') => Err(Reason::FoldedField),
            (State::TrailerStart, _) if is_token(byte) => {
                self.trailer_fields += 1;
                match self.trailer_fields > TRAILER_FIELDS_MAX {
                    true => Err(Reason::TrailersTooLarge),
                    false => Ok(State::TrailerName),
                }
            }
            (State::TrailerName, b':') => Ok(State::TrailerValue),
            (State::TrailerName | State::TrailerSpace, b' ' | b'\t') => Ok(State::TrailerSpace),
            (State::TrailerSpace, b':') => Err(Reason::SpaceBeforeColon),
            (State::TrailerName, _) if is_token(byte) => Ok(State::TrailerName),
            (State::TrailerValue, b'\r') => Ok(State::TrailerEnd),
            (State::TrailerValue, _) if is_value(byte) => Ok(State::TrailerValue),
            (State::TrailerValue, _) => Err(Reason::BadFieldValue),
            _ => Err(Reason::BadFieldName),
        }
    }
}
