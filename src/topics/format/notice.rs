//! What a stream tells its reader besides messages: why it ends, that it falls behind, what it
//! missed. Notices have no id, so that an event stream's cursor stays; raw formats have none.

use super::{Format, delimit};
use crate::http::{json, write};

/// Why a stream ends (streams.md section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The server goes down.
    Shutdown,
    /// The reader was too slow.
    Stall,
    /// Nothing is wrong.
    Normal,
    /// The token was revoked or has expired.
    Token,
    /// Somebody with the right to do so ended it.
    Admin,
    /// As many messages as were asked for are sent.
    Count,
    /// A fault of ours.
    Internal,
    /// There is too much to do, or the stream has become too old.
    Shed,
}

impl Code {
    /// Every code.
    pub const ALL: [Code; 8] = [
        Code::Shutdown,
        Code::Stall,
        Code::Normal,
        Code::Token,
        Code::Admin,
        Code::Count,
        Code::Internal,
        Code::Shed,
    ];

    /// The number on the wire.
    #[must_use]
    pub fn number(self) -> u16 {
        match self {
            Code::Shutdown => 1,
            Code::Stall => 4,
            Code::Normal => 5,
            Code::Token => 6,
            Code::Admin => 7,
            Code::Count => 9,
            Code::Internal => 10,
            Code::Shed => 12,
        }
    }

    /// The word beside it.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Code::Shutdown => "shutdown",
            Code::Stall => "stall",
            Code::Normal => "normal",
            Code::Token => "token",
            Code::Admin => "admin",
            Code::Count => "count",
            Code::Internal => "internal",
            Code::Shed => "shed",
        }
    }
}

/// Each appends the payload of a notice: nothing for raw formats. [`super::Style::frame_notice`]
/// makes of it what is sent.
impl Format {
    /// The stream ends. `names` are the topics it reads, for people.
    pub fn disconnect(self, code: Code, names: &str, out: &mut Vec<u8>) {
        self.notice("disconnect", out, |out| {
            out.extend_from_slice(b"\"code\":");
            write::number(out, code.number().into());
            out.extend_from_slice(b",\"stream_name\":");
            json::string(out, names);
            out.extend_from_slice(b",\"reason\":");
            json::string(out, code.reason());
        });
    }

    /// The reader has used so much of the room for those that are slow.
    pub fn warning(self, percent: u32, out: &mut Vec<u8>) {
        self.notice("warning", out, |out| {
            out.extend_from_slice(
                b"\"code\":\"FALLING_BEHIND\",\"message\":\"You read more slowly than messages \
                  come. At 100 percent the stream ends or loses messages.\",\"percent_full\":",
            );
            write::number(out, percent.into());
        });
    }

    /// So many messages are missing before the next one.
    pub fn limit(self, track: u64, out: &mut Vec<u8>) {
        self.notice("limit", out, |out| {
            out.extend_from_slice(b"\"track\":");
            write::number(out, track);
        });
    }

    /// How long EventSource waits before it comes again; a line of the event that follows. Only in
    /// event streams.
    pub fn retry(self, ms: u32, out: &mut Vec<u8>) {
        if self.is_sse() {
            out.extend_from_slice(b"retry: ");
            write::number(out, ms.into());
            out.push(b'\n');
        }
    }

    fn notice(self, kind: &str, out: &mut Vec<u8>, members: impl Fn(&mut Vec<u8>)) {
        let object = |out: &mut Vec<u8>| {
            for part in ["{\"", kind, "\":{"] {
                out.extend_from_slice(part.as_bytes());
            }
            members(out);
            out.extend_from_slice(b"}}");
        };
        match self {
            Format::Raw | Format::RawLength => {}
            Format::Json | Format::JsonRaw => {
                object(out);
                out.extend_from_slice(b"\r\n");
            }
            Format::JsonLength => {
                let mut line = Vec::new();
                object(&mut line);
                line.extend_from_slice(b"\r\n");
                delimit(&line, out);
            }
            Format::Sse | Format::SseRaw => {
                for part in ["event: ", kind, "\ndata: "] {
                    out.extend_from_slice(part.as_bytes());
                }
                object(out);
                out.extend_from_slice(b"\n\n");
            }
        }
    }
}
