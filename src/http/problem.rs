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
    /// Whether the line is closed after the answer: what follows cannot be told apart any more, or
    /// nobody will read it (RFC 9112 sections 2.2, 6.3 and 9.6).
    pub closes: bool,
}

macro_rules! reasons {
    (@closes) => { false };
    (@closes closes) => { true };
    ($(
        $(#[$doc:meta])*
        $name:ident = $status:literal $code:literal $text:literal $(, $closes:ident)?;
    )+) => {
        /// Why a request is refused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason {
            $($(#[$doc])* $name,)+
        }

        impl Reason {
            /// Every reason, in the table's order.
            pub const ALL: &'static [Reason] = &[$(Reason::$name,)+];

            /// Status, code, text, and whether the line closes.
            #[must_use]
            pub fn row(self) -> Row {
                match self {
                    $(Reason::$name => Row {
                        status: $status,
                        code: $code,
                        text: $text,
                        closes: reasons!(@closes $($closes)?),
                    },)+
                }
            }

            /// The WWW-Authenticate field that goes with it, if one does (RFC 6750 section 3).
            #[must_use]
            pub fn challenge(self) -> Option<&'static str> {
                match self {
                    Reason::CredentialsMissing => Some("Bearer realm=\"hookah\""),
                    Reason::InvalidToken => {
                        Some("Bearer realm=\"hookah\", error=\"invalid_token\"")
                    }
                    Reason::InsufficientScope => {
                        Some("Bearer realm=\"hookah\", error=\"insufficient_scope\"")
                    }
                    _ => None,
                }
            }

            /// Whether the line is closed after the answer (see [`Row::closes`]).
            #[must_use]
            pub fn closes(self) -> bool {
                self.row().closes
            }
        }
    };
}

reasons! {
    /// RFC 9112 section 3: the request line is not three parts with single spaces between.
    BadRequestLine = 400 "bad_request_line" "Bad request line", closes;
    /// The first bytes are no request at all: TLS on a plain port, a binary protocol.
    NotHttp = 400 "not_http" "Not an HTTP request", closes;
    /// More empty lines before the request than RFC 9112 section 2.2 asks us to bear.
    EmptyLines = 400 "empty_lines" "Too many empty lines before the request", closes;
    /// A line of the head or of a chunk ends in LF without CR (RFC 9112 section 2.2).
    BareLf = 400 "bare_lf" "Line feed without carriage return", closes;
    /// HTTP/0.9: a request line without a version.
    OldVersion = 400 "old_version" "HTTP/0.9 is not spoken here", closes;
    /// A version that is not `HTTP/` digit `.` digit (RFC 9112 section 2.3).
    BadVersion = 400 "bad_version" "Bad HTTP version", closes;
    /// RFC 9110 section 15.6.6: any version but 1.0 and 1.1, an HTTP/2 preface too.
    VersionNotSupported = 505 "version_not_supported" "HTTP version not supported", closes;
    /// RFC 9110 section 9.1: a method that nobody here knows, or never serves.
    MethodNotImplemented = 501 "method_not_implemented" "Method not implemented", closes;
    /// RFC 9112 section 3.2: no form of target that fits the method, or a character it cannot have.
    BadRequestTarget = 400 "bad_request_target" "Bad request target", closes;
    /// RFC 9110 section 15.5.15.
    TargetTooLong = 414 "target_too_long" "Request target too long", closes;
    /// RFC 6585 section 5: the head as a whole.
    HeadTooLarge = 431 "head_too_large" "Request head too large", closes;
    /// RFC 6585 section 5: the number of fields.
    TooManyFields = 431 "too_many_fields" "Too many header fields", closes;
    /// RFC 9112 section 2.2: white space between the request line and the first field.
    SpaceBeforeField = 400 "space_before_field" "White space before the first field", closes;
    /// RFC 9112 section 5.2: a field value folded over lines.
    FoldedField = 400 "folded_field" "Folded header field", closes;
    /// RFC 9112 section 5.1: white space between a field's name and its colon.
    SpaceBeforeColon = 400 "space_before_colon" "White space before a field's colon", closes;
    /// RFC 9112 section 5: a field without a colon, without a name, or whose name is no token.
    BadFieldName = 400 "bad_field_name" "Bad header field name", closes;
    /// RFC 9110 section 5.5: a control character in a field's value.
    BadFieldValue = 400 "bad_field_value" "Bad header field value", closes;
    /// RFC 9112 section 3.2: HTTP/1.1 without Host.
    MissingHost = 400 "missing_host" "Host is missing", closes;
    /// RFC 9112 section 3.2: more than one Host.
    RepeatedHost = 400 "repeated_host" "Host is repeated", closes;
    /// RFC 9112 section 3.2: a Host that is no host with an optional port.
    BadHost = 400 "bad_host" "Bad Host", closes;
    /// RFC 9112 section 6.3, rule 5: a Content-Length that is no decimal number below 2^63.
    BadContentLength = 400 "bad_content_length" "Bad Content-Length", closes;
    /// RFC 9112 section 6.3, rule 5: more than one Content-Length, even if they agree.
    RepeatedContentLength = 400 "repeated_content_length" "Content-Length is repeated", closes;
    /// RFC 9112 section 6.1: Transfer-Encoding and Content-Length together.
    LengthAndEncoding = 400 "length_and_encoding" "Both length and encoding given", closes;
    /// RFC 9112 section 6.1: Transfer-Encoding in an HTTP/1.0 request.
    EncodingInOldVersion = 400 "encoding_in_old_version" "Transfer-Encoding in HTTP/1.0", closes;
    /// RFC 9112 section 6.3, rule 4: `chunked` is not the last coding, or not the only `chunked`.
    BadTransferEncoding = 400 "bad_transfer_encoding" "Bad Transfer-Encoding", closes;
    /// RFC 9112 section 6.1: a transfer coding besides `chunked`.
    UnknownTransferCoding = 501 "unknown_transfer_coding" "Unknown transfer coding", closes;
    /// RFC 9110 section 10.1.1: an expectation besides `100-continue`.
    ExpectationFailed = 417 "expectation_failed" "Expectation failed", closes;
    /// RFC 9110 section 15.5.14: a body over the limit, known from its length or its chunks.
    BodyTooLarge = 413 "body_too_large" "Body too large", closes;
    /// RFC 9112 section 7.1: a chunk size that is not 1 to 16 hexadecimal digits, or beyond 2^63.
    BadChunkSize = 400 "bad_chunk_size" "Bad chunk size", closes;
    /// RFC 9112 section 7.1.1: a chunk extension that breaks the grammar.
    BadChunkExtension = 400 "bad_chunk_extension" "Bad chunk extension", closes;
    /// RFC 9112 section 7.1: chunk data, or a chunk line, that is not followed by CRLF.
    BadChunkEnd = 400 "bad_chunk_end" "Chunk without its line end", closes;
    /// The extensions of all chunks together are over the limit.
    ChunkExtensionsTooLarge = 400 "chunk_extensions_too_large" "Chunk extensions too long", closes;
    /// RFC 9112 section 7.1.2: trailer fields over their limits.
    TrailersTooLarge = 431 "trailers_too_large" "Trailer fields too large", closes;
    /// RFC 9112 section 8: the peer finished sending inside a head or a body.
    Incomplete = 400 "incomplete" "Request ended early", closes;
    /// RFC 9110 section 15.5.9: the head is not here in time.
    HeadTimeout = 408 "head_timeout" "Request head took too long", closes;
    /// RFC 9110 section 15.5.9: the body is not here in time.
    BodyTimeout = 408 "body_timeout" "Request body took too long", closes;
    /// All places for connections are taken.
    ConnectionsFull = 503 "connections_full" "Too many connections; try again later", closes;
    /// One address has all the connections that one may have.
    AddressFull = 429 "address_full" "Too many connections from one address", closes;
    /// dispatch.md section 1: the seed's own words.
    NoDestination = 400 "no_destination" "No destination URL";
    /// dispatch.md section 2: an option has a value it cannot have.
    BadOption = 400 "bad_option" "Bad option";
    /// streams.md section 1: a parameter has a value it cannot have.
    BadParameter = 400 "bad_parameter" "Bad parameter";
    /// A target that is no URL we can call.
    BadTarget = 400 "bad_target" "Bad target URL";
    /// No such path.
    NotFound = 404 "not_found" "Not found";
    /// RFC 9110 section 15.5.6.
    MethodNotAllowed = 405 "method_not_allowed" "Method not allowed";
    /// A body whose media type cannot be used here.
    UnsupportedMediaType = 415 "unsupported_media_type" "Unsupported media type";
    /// The store could not keep the message: nothing of it was promised.
    StoreFailed = 503 "store_failed" "The message could not be stored; try again later";
    /// What is known of the time before this process is being read.
    Starting = 503 "starting" "The server is starting; try again in a moment";
    /// The bound on memory is reached.
    MemoryFull = 503 "memory_full" "Out of memory for new messages; try again later";
    /// There are as many flows as there may be, and the message names another.
    FlowsFull = 503 "flows_full" "Too many flow keys; try again later";
    /// RFC 7578: a form that cannot be read for certain.
    BadForm = 400 "bad_form" "Malformed form";
    /// RFC 8259: a body that may name a target and cannot be read.
    BadJson = 400 "bad_json" "Malformed JSON";
    /// dispatch.md section 3: query fields that are no options, beside a body they cannot go into.
    BadQuery = 400 "bad_query" "Query fields cannot be merged into this body";
    /// A message has a bound on its targets.
    TooManyTargets = 400 "too_many_targets" "Too many targets";
    /// dispatch.md section 7: the message was here before, or it passed too many servers like this.
    TooManyHops = 400 "too_many_hops" "Too many hops";
    /// As many questions about messages are under way as there may be.
    InquiriesFull = 503 "inquiries_full" "Too many questions at once; try again later";
    /// The store cannot say what it is asked.
    StoreSilent = 503 "store_silent" "The store could not be asked; try again later";
    /// dispatch.md section 6: no message of that id is known.
    UnknownMessage = 404 "unknown_message" "No such message";
    /// security.md section 1: an address or port that may not be called.
    TargetForbidden = 403 "target_forbidden" "Target is not allowed";
    /// No lane leads there.
    UnknownLane = 404 "unknown_lane" "There is no such lane";
    /// A bound on what people may hold back.
    LanesPausedFull = 503 "lanes_paused_full" "Too many lanes are paused; resume one first";
    /// streams.md section 7: a topic without readers, subscribers and backlog.
    UnknownTopic = 404 "unknown_topic" "No such topic";
    /// streams.md section 4: as many streams as there may be.
    StreamsFull = 503 "streams_full" "Too many streams; try again later";
    /// streams.md section 4: the server is stopping.
    Draining = 503 "draining" "The server is stopping; try again later";
    /// streams.md section 4: a stream has a bound on what it names.
    TooManyTopics = 413 "too_many_topics" "Too many topics";
    /// streams.md section 1: a `count` of more messages than a topic keeps.
    BeyondBacklog = 416 "beyond_backlog" "More messages asked for than are kept";
    /// RFC 9110 section 15.5.7: Accept excludes every format there is.
    NotAcceptable = 406 "not_acceptable" "No format is acceptable";
    /// hub.md C1: a subscriber that wanted to be verified first did not confirm.
    NotVerified = 409 "not_verified" "The callback did not confirm";
    /// hub.md C22: the topic is not on the operator's list.
    TopicForbidden = 403 "topic_forbidden" "Topic is not allowed";
    /// hub.md C28: content may be published only with the right to.
    PublishForbidden = 403 "publish_forbidden" "Publishing content is not allowed";
    /// security.md: verifications of one client a minute.
    TooManyRequests = 429 "too_many_requests" "Too many requests; try again later";
    /// The bound on subscriptions is reached.
    SubscriptionsFull = 503 "subscriptions_full" "Too many subscriptions; try again later";
    /// dispatch.md section 4: a key stands for one request.
    KeyReused = 422 "key_reused" "The idempotency key belongs to another request";
    /// RFC 6750 section 3.1: the request shows nothing of who makes it.
    CredentialsMissing = 401 "credentials_missing" "A token is needed";
    /// RFC 6750 section 3.1: what it shows is wrong, or not right any more.
    InvalidToken = 401 "invalid_token" "The token is not valid";
    /// RFC 6750 section 3.1: the token is right and does not give the right.
    InsufficientScope = 403 "insufficient_scope" "The token does not allow this";
    /// RFC 6585 section 4: wrong credentials from one address.
    TooManyFailures = 429 "too_many_failures" "Too many wrong tokens; try again later";
    /// RFC 6585 section 4: a token's own bound on requests.
    TokenRate = 429 "token_rate" "The rate of the token is used up; try again later";
    /// A batch has a bound on its messages.
    BatchTooLong = 413 "batch_too_long" "Too many messages in one batch";
    /// security.md section 1: a name that is not ours, as after DNS rebinding.
    ForeignHost = 403 "foreign_host" "Host is not allowed";
    /// security.md section 1: a page of another site sent it.
    ForeignOrigin = 403 "foreign_origin" "Origin is not allowed";
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
        Problem {
            reason,
            detail: Cow::Borrowed(""),
        }
    }
}

impl Problem {
    /// A reason with its particulars.
    #[must_use]
    pub fn new(reason: Reason, detail: impl Into<Cow<'static, str>>) -> Problem {
        Problem {
            reason,
            detail: detail.into(),
        }
    }

    /// The refusal of a value: what it is the value of, its beginning, what is wrong with it, what
    /// is allowed.
    #[must_use]
    pub fn of_value(
        reason: Reason,
        name: &str,
        value: &[u8],
        complaint: &str,
        allowed: &str,
    ) -> Problem {
        // A value may be as long as a body; no more of it is looked at than is shown.
        let start = value.get(..4 * (SHOWN_CHARS_MAX + 1)).unwrap_or(value);
        let value = String::from_utf8_lossy(start);
        let detail = match value.char_indices().nth(SHOWN_CHARS_MAX) {
            Some((end, _)) => {
                let start = value.get(..end).unwrap_or_default();
                format!("{name}: {start:?}… {complaint}; allowed: {allowed}")
            }
            None => format!("{name}: {value:?} {complaint}; allowed: {allowed}"),
        };
        Problem::new(reason, detail)
    }
}

/// Characters of a bad value that an answer repeats.
pub const SHOWN_CHARS_MAX: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_words_of_their_own_and_statuses_are_refusals() {
        for (place, reason) in Reason::ALL.iter().enumerate() {
            let row = reason.row();
            assert!((400..=599).contains(&row.status), "{reason:?}");
            assert!(
                row.code
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b == b'_'),
                "{reason:?}"
            );
            assert!(!row.text.is_empty() && row.text.is_ascii(), "{reason:?}");
            assert!(
                !row.text.ends_with('.') && !row.text.contains('\n'),
                "{reason:?}"
            );
            let later = Reason::ALL.iter().skip(place + 1);
            assert!(
                later.clone().all(|other| other.row().code != row.code),
                "{reason:?}"
            );
            assert!(
                later.clone().all(|other| other.row().text != row.text),
                "{reason:?}"
            );
        }
    }

    #[test]
    fn what_loses_the_framing_closes_and_what_the_rooms_refuse_does_not() {
        assert!(Reason::LengthAndEncoding.closes());
        assert!(Reason::BodyTooLarge.closes());
        assert!(!Reason::NoDestination.closes());
        assert!(!Reason::MethodNotAllowed.closes());
    }
}
