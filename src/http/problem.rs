//! The one table that maps every reason to refuse a request to its status, code and text.
//! No connection, no policy: whoever finds the reason decides what happens to the line.

use std::borrow::Cow;

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The HTTP status.
    pub status: u16,
    /// The machine's word: the counter's label, and the end of the problem's `type`.
    pub code: &'static str,
    /// The people's words: the text body after the status, and the problem's `title`.
    pub text: &'static str,
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $status:literal $code:literal $text:literal;)+) => {
        /// Why a request is refused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason {
            $($(#[$doc])* $name,)+
        }

        impl Reason {
            /// Every reason, in the table's order.
            pub const ALL: &'static [Reason] = &[$(Reason::$name,)+];

            /// Status, code and text.
            #[must_use]
            pub fn row(self) -> Row {
                match self {
                    $(Reason::$name => Row { status: $status, code: $code, text: $text },)+
                }
            }
        }
    };
}

reasons! {
    /// RFC 9112 section 3: the request line is not three parts with single spaces between.
    BadRequestLine = 400 "bad_request_line" "Bad request line";
    /// dispatch.md section 1: the seed's own words.
    NoDestination = 400 "no_destination" "No destination URL";
    /// dispatch.md section 2: an option has a value it cannot have.
    BadOption = 400 "bad_option" "Bad option";
    /// A target that is no URL we can call.
    BadTarget = 400 "bad_target" "Bad target URL";
    /// No such path.
    NotFound = 404 "not_found" "Not found";
    /// RFC 9110 section 15.5.6.
    MethodNotAllowed = 405 "method_not_allowed" "Method not allowed";
    /// A body whose media type cannot be used here.
    UnsupportedMediaType = 415 "unsupported_media_type" "Unsupported media type";
    /// The bound on memory is reached.
    MemoryFull = 503 "memory_full" "Out of memory for new messages; try again later";
    /// RFC 7578: a form that cannot be read for certain.
    BadForm = 400 "bad_form" "Malformed form";
    /// dispatch.md section 3: query fields that are no options, beside a body they cannot go into.
    BadQuery = 400 "bad_query" "Query fields cannot be merged into this body";
    /// A message has a bound on its targets.
    TooManyTargets = 400 "too_many_targets" "Too many targets";
    /// streams.md section 6: topics that begin with `$` are Hookah's own.
    ReservedTopic = 403 "reserved_topic" "Topics that begin with $ are reserved";
}

/// A reason with what is particular to this request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The row.
    pub reason: Reason,
    /// One sentence that names the thing, the value and what is allowed; may be empty.
    pub detail: Cow<'static, str>,
}

impl From<Reason> for Problem {
    fn from(reason: Reason) -> Problem {
        Problem { reason, detail: Cow::Borrowed("") }
    }
}

impl Problem {
    /// A reason with its particulars.
    #[must_use]
    pub fn new(reason: Reason, detail: impl Into<Cow<'static, str>>) -> Problem {
        Problem { reason, detail: detail.into() }
    }
}
