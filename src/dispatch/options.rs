//! The table of a dispatch's options: one row each, however it is spelled (dispatch.md section 2).
//! It never looks at a body's format; it gets names and values.

use std::sync::Arc;
use std::time::Duration;

use crate::base::time::Wall;
use crate::base::units::BOOL_FORM;
use crate::dispatch::Settings;
use crate::dispatch::fields::FIELD_FORM;
use crate::dispatch::flows::RATE_FORM;
use crate::dispatch::gate::Gates;
use crate::dispatch::receipt::{self, Tells};
use crate::dispatch::retry::{SCHEDULE_FORM, Schedule};
use crate::dispatch::sign::{GITHUB_SECRET_FORM, SCHEME_FORM, SECRET_FORM, Scheme, Secret, Signer};
use crate::dispatch::status::{SUCCESS_FORM, Success};
use crate::dispatch::target;
use crate::http::problem::{Problem, Reason, SHOWN_CHARS_MAX};
use crate::model::Method;

use self::Place::{Anywhere, Field, Header, HeaderPrefix};
use self::Take::{Forward, Hidden, Line, Topic, Url, Value};

mod text;
mod values;

pub(super) use text::note;

/// Retries that a message may ask for at most.
pub const RETRIES_MAX: u32 = 1_000;
/// The shortest deadline of one exchange: less would fail on any real network.
pub const TIMEOUT_MIN: Duration = Duration::from_millis(100);
/// The longest deadline of one exchange: each one holds a line and a place in its lane.
pub const TIMEOUT_MAX: Duration = Duration::from_secs(3_600);
/// How far ahead a message may be due or expire.
pub const AHEAD_MAX: Duration = Duration::from_secs(366 * 86_400);
/// Redirects that one attempt may follow at most.
pub const REDIRECTS_MAX: u8 = 10;
/// Bytes kept of an answer's body where nobody says otherwise.
pub const CAPTURE_BYTES: u32 = 64 << 10;

/// How often to try, and when; what the message said with the defaults filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The first attempt is not made before this time.
    pub not_before: Wall,
    /// What is not delivered by this time is given up. Always later than `not_before`.
    pub expires_at: Wall,
    /// Retries after the first attempt.
    pub retries: u32,
    /// The wait before each retry; `None` is the server's own schedule.
    pub schedule: Option<Schedule>,
    /// The whole exchange of one attempt.
    pub timeout: Duration,
    /// Redirects that one attempt follows.
    pub redirects: u8,
    /// Which statuses have delivered.
    pub success: Success,
    /// What signs it.
    pub signer: Option<Signer>,
    /// A filter for the history.
    pub label: Option<Box<str>>,
    /// The name that readers of event streams get.
    pub event: Option<Box<str>>,
    /// Bytes kept of the answer's body.
    pub capture: u32,
    /// Only public addresses, whatever else the server may call.
    pub strict: bool,
    /// Who is told when a delivery has ended.
    pub tells: Tells,
    /// The publisher's own name for the request, under which it is taken once.
    pub once: Option<Box<str>>,
    /// Its queue and its flow, if it asked for any.
    pub gates: Option<Arc<Gates>>,
}

/// What the options of one message said, before the defaults.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// `method`.
    pub method: Option<Method>,
    delay: Option<Duration>,
    not_before: Option<Wall>,
    expires: Option<Expiry>,
    retries: Option<u32>,
    schedule: Option<Schedule>,
    timeout: Option<Duration>,
    /// `forward-headers`.
    pub forward_headers: bool,
    redirects: Option<u8>,
    success: Option<Success>,
    secret: Option<Secret>,
    sign: Option<Box<str>>,
    scheme: Option<Scheme>,
    label: Option<Box<str>>,
    event: Option<Box<str>>,
    capture: Option<u32>,
    strict: bool,
    callback: Option<Box<str>>,
    errback: Option<Box<str>>,
    /// `idempotency-key`.
    pub once: Option<Box<str>>,
    gates: Gates,
}

#[derive(Clone, Copy, Debug)]
enum Expiry {
    Age(Duration),
    At(Wall),
}

impl Given {
    /// The options with the defaults filled in. An age runs from acceptance; the default age runs
    /// from the first attempt, so that a long delay does not expire a message that asked for no
    /// expiry.
    pub fn settle(self, defaults: &Settings, now: Wall) -> Result<Options, Problem> {
        let not_before = match (self.not_before, self.delay) {
            (Some(at), _) => at.max(now),
            (None, delay) => now + delay.unwrap_or_default(),
        };
        let expires_at = match self.expires {
            Some(Expiry::Age(age)) => now + age,
            Some(Expiry::At(at)) => at,
            None => not_before + defaults.expires,
        };
        if expires_at <= not_before {
            let detail = "expires: it lies before the first attempt; allowed: a later time, or \
                          a shorter delay";
            return Err(Problem::new(Reason::BadOption, detail));
        }
        let signer = self.signer(defaults)?;
        let tells = self.tells()?;
        Ok(Options {
            not_before,
            expires_at,
            retries: self.retries.unwrap_or(defaults.retries),
            schedule: self.schedule,
            timeout: self.timeout.unwrap_or(defaults.timeout),
            redirects: self.redirects.unwrap_or(0),
            success: self.success.unwrap_or_default(),
            signer,
            label: self.label,
            event: self.event,
            capture: self.capture.unwrap_or(CAPTURE_BYTES),
            strict: self.strict,
            gates: self.gates.shared(),
            tells,
            once: self.once,
        })
    }

    /// Who is told, of the URLs that were given.
    fn tells(&self) -> Result<Tells, Problem> {
        let target = |option, url: &Option<Box<str>>| {
            let target = url.as_ref().map(|url| target::parse(url)).transpose();
            let target = target.map_err(|why| receipt::named(option, why))?;
            Ok::<_, Problem>(target.map(Arc::new))
        };
        Ok(Tells {
            callback: target("callback", &self.callback)?,
            errback: target("errback", &self.errback)?,
        })
    }

    /// Whether it is to be signed with a key that is not among ours.
    #[must_use]
    pub fn names_unknown_key(&self, defaults: &Settings) -> bool {
        let name = self.sign.as_ref();
        name.is_some_and(|name| defaults.keys.get(name).is_none())
    }

    /// What signs, of a secret that came along or of a name. No refusal repeats a secret.
    fn signer(&self, defaults: &Settings) -> Result<Option<Signer>, Problem> {
        let refuse = |detail: String| Err(Problem::new(Reason::BadOption, detail));
        let scheme = self.scheme.unwrap_or_default();
        let (option, secret) = match (&self.secret, &self.sign) {
            (None, None) if self.scheme.is_some() => {
                return refuse("sign-scheme: nothing signs; allowed: beside secret or sign".into());
            }
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => {
                return refuse("secret: beside sign; allowed: one of them".into());
            }
            (Some(secret), None) => ("secret", secret),
            (None, Some(name)) => match defaults.keys.get(name) {
                Some(secret) => ("sign", secret),
                None => {
                    let name: String = name.chars().take(SHOWN_CHARS_MAX).collect();
                    return refuse(format!(
                        "sign: {name:?} is no key here; allowed: {SIGN_FORM}"
                    ));
                }
            },
        };
        match secret.signer(scheme) {
            Ok(signer) => Ok(Some(signer)),
            Err(complaint) => {
                let allowed = match scheme {
                    Scheme::Standard => SECRET_FORM,
                    Scheme::Github => GITHUB_SECRET_FORM,
                };
                refuse(format!("{option}: the key {complaint}; allowed: {allowed}"))
            }
        }
    }
}

/// Where an option may stand, and how it is spelled there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Field `_x_y` of form, query or JSON, and header `Hookah-X-Y`.
    Anywhere,
    /// The field only.
    Field,
    /// The field, and a header of this name.
    Header(&'static str),
    /// Headers whose names begin so.
    HeaderPrefix(&'static str),
}

/// What is done with an option's value.
#[derive(Clone, Copy)]
pub enum Take {
    /// It is a target's URL; may be repeated.
    Url,
    /// It is a topic's name; may be repeated.
    Topic,
    /// It is read into [`Given`]. The error is the complaint, to stand behind the value.
    Value(fn(&mut Given, &str, Wall) -> Result<(), &'static str>),
    /// As `Value`, but no answer repeats the value.
    Hidden(fn(&mut Given, &str, Wall) -> Result<(), &'static str>),
    /// It is a field for the target, `Name: value`; may be repeated.
    Line,
    /// It is the value of a field for the target, whose name stands behind the header's prefix;
    /// may be repeated.
    Forward,
}

/// One option.
#[derive(Clone, Copy)]
pub struct Row {
    /// Its name: `retry-schedule`.
    pub name: &'static str,
    /// Where it may stand.
    pub place: Place,
    /// What is done with its value.
    pub take: Take,
    /// The values that are allowed, in words.
    pub allowed: &'static str,
    /// What holds if the message says nothing and no knob of the same name does; may be empty.
    pub default: &'static str,
    /// What it means, in words.
    pub help: &'static str,
}

macro_rules! table {
    ($($name:literal $take:expr, $place:expr, $allowed:expr, $help:literal
        $(, $default:literal)?;)+) => {
        /// Every option of dispatch.md section 4, in its order.
        pub const TABLE: &[Row] = &[$(Row {
            name: $name,
            place: $place,
            take: $take,
            allowed: $allowed,
            default: concat!("" $(, $default)?),
            help: $help,
        },)+];
    };
}

table! {
    "url" Url, Anywhere, "an http URL", "a URL that gets the message";
    "topic" Topic, Anywhere, "1 to 1024 bytes", "a topic that gets the message";
    "method" Value(values::method), Anywhere, values::METHODS, "the method of the call",
        "POST; GET for a form with no field left";
    "header" Line, Field, FIELD_FORM, "a header for the target";
    "forward-headers" Value(values::forward_headers), Anywhere, BOOL_FORM,
        "forward the request's headers", "false";
    "forward-" Forward, HeaderPrefix("Hookah-Forward-"), FIELD_FORM, "a header for the target";
    "delay" Value(values::delay), Anywhere, values::DELAY_FORM, "wait before the first attempt",
        "0";
    "not-before" Value(values::not_before), Anywhere, values::TIME_FORM,
        "no attempt before; wins over delay";
    "expires" Value(values::expires), Anywhere, values::EXPIRES_FORM,
        "give up after this age or at this time";
    "retries" Value(values::retries), Anywhere, "0 to 1000", "retries after the first attempt";
    "retry-schedule" Value(values::schedule), Anywhere, SCHEDULE_FORM, "the wait before each retry";
    "timeout" Value(values::timeout), Anywhere, values::TIMEOUT_FORM,
        "deadline of one whole exchange";
    "redirects" Value(values::redirects), Anywhere, "0 to 10", "redirects followed", "0";
    "success" Value(values::success), Anywhere, SUCCESS_FORM, "statuses that count as delivered",
        "200-299";
    "callback" Hidden(values::callback), Anywhere, values::URL_FORM,
        "POSTed once, when a delivery has ended";
    "errback" Hidden(values::errback), Anywhere, values::URL_FORM,
        "POSTed once, if a delivery has failed or expired";
    "secret" Hidden(values::secret), Anywhere, SECRET_FORM, "signing keys";
    "sign" Value(values::sign), Anywhere, SIGN_FORM, "name of a signing key";
    "sign-scheme" Value(values::sign_scheme), Anywhere, SCHEME_FORM, "how to sign", "standard";
    "idempotency-key" Value(values::once), Header("Idempotency-Key"), values::ONCE_FORM,
        "for 24 hours the same request is taken once";
    "queue" Value(values::queue), Anywhere, values::NAME_FORM, "a FIFO by that name, one in flight";
    "flow-key" Value(values::flow_key), Anywhere, values::NAME_FORM,
        "what shares rate and parallelism", "the target's origin";
    "rate" Value(values::rate), Anywhere, RATE_FORM, "attempts per time and flow key", "none";
    "parallelism" Value(values::parallelism), Anywhere, "1 to 10000",
        "attempts in flight per flow key";
    "label" Value(values::label), Anywhere, values::LABEL_FORM, "a filter for the history";
    "event" Value(values::event), Anywhere, values::LABEL_FORM,
        "the event name that SSE readers get";
    "capture" Value(values::capture), Anywhere, values::CAPTURE_FORM,
        "bytes kept of the target's answer", "64k";
    "targets" Value(values::targets), Anywhere, "public", "`public` forbids private addresses";
}

/// Options that are done with once a message is taken in, or that it keeps in a place of its own.
const DONE_WITH: [&str; 8] = [
    "method",
    "forward-headers",
    "delay",
    "not-before",
    "expires",
    "idempotency-key",
    "label",
    "event",
];

const SIGN_FORM: &str =
    "the NAME of a HOOKAH_SIGN_<NAME> that the server has, or of a key in its file's [sign]";

/// Bytes of the longest field name that spells an option, its underscore included.
pub const NAME_BYTES_MAX: usize = 32;

/// A row's bit in the set of the options that one source gave.
const _: () = assert!(TABLE.len() <= 64);

impl Row {
    /// Whether deliveries need its value when they go on later, so that the message keeps it. A new
    /// option is kept unless it stands among those that are not.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        matches!(self.take, Value(_) | Hidden(_)) && !DONE_WITH.contains(&self.name)
    }

    /// Whether it may stand more than once in one source.
    #[must_use]
    pub fn is_repeatable(&self) -> bool {
        matches!(self.take, Url | Topic | Line | Forward)
    }

    fn is_field(&self, name: &[u8]) -> bool {
        let same = |(given, own): (&u8, u8)| *given == if own == b'-' { b'_' } else { own };
        !matches!(self.place, Place::HeaderPrefix(_))
            && name.len() == self.name.len()
            && name.iter().zip(self.name.bytes()).all(same)
    }

    fn is_header(&self, name: &str) -> bool {
        match self.place {
            Place::Anywhere => {
                strip_prefix(name, "hookah-").is_some_and(|it| it.eq_ignore_ascii_case(self.name))
            }
            Place::Field => false,
            Place::Header(whole) => name.eq_ignore_ascii_case(whole),
            Place::HeaderPrefix(prefix) => strip_prefix(name, prefix).is_some(),
        }
    }
}

fn strip_prefix<'a>(name: &'a str, prefix: &str) -> Option<&'a str> {
    let (start, rest) = name.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// The option that the decoded field name `name` spells, with its index in the table. Any other
/// field, `_foo` included, is payload.
#[must_use]
pub fn field(name: &[u8]) -> Option<(usize, &'static Row)> {
    let name = name.strip_prefix(b"_")?;
    TABLE.iter().enumerate().find(|(_, row)| row.is_field(name))
}

/// The option that a member of a batch's message spells: as in the table or as a field, with the
/// underscore before it or without.
#[must_use]
pub fn member(name: &[u8]) -> Option<(usize, &'static Row)> {
    let name = name.strip_prefix(b"_").unwrap_or(name);
    let plain = |byte: &u8| if *byte == b'-' { b'_' } else { *byte };
    let mut spelled = [0; NAME_BYTES_MAX];
    let spelled = spelled.get_mut(..name.len())?;
    spelled
        .iter_mut()
        .zip(name)
        .for_each(|(to, from)| *to = plain(from));
    TABLE
        .iter()
        .enumerate()
        .find(|(_, row)| row.is_field(spelled))
}

/// The option that a request header of that name spells, with its index in the table.
#[must_use]
pub fn header(name: &str) -> Option<(usize, &'static Row)> {
    // Nearly all headers end here; the rows are asked only about names that can be ours.
    if !matches!(name.as_bytes().first(), Some(b'h' | b'H' | b'i' | b'I')) {
        return None;
    }
    TABLE
        .iter()
        .enumerate()
        .find(|(_, row)| row.is_header(name))
}

/// The refusal of a value: the option as it was spelled, the value, what is allowed.
#[must_use]
pub fn bad_value(row: &Row, spelled: &str, value: &[u8], complaint: &str) -> Problem {
    let allowed = row.allowed;
    if let Hidden(_) = row.take {
        let detail = format!("{spelled}: the value {complaint}; allowed: {allowed}");
        return Problem::new(Reason::BadOption, detail);
    }
    Problem::of_value(Reason::BadOption, spelled, value, complaint, allowed)
}

#[cfg(test)]
mod tests;
