//! Gathers targets and options from the sources of one submission, in the order of their weight.
//! It never copies payload.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_PAD_INDIFFERENT, URL_SAFE_PAD_INDIFFERENT};

use super::body::Query;
use super::{Caller, Scratch, Submission, TARGETS_MAX, TOPIC_BYTES_MAX};
use crate::base::time::Wall;
use crate::dispatch::fields;
use crate::dispatch::options::{self, Given, Row, Take};
use crate::http::problem::{Problem, Reason};
use crate::http::{field, form};

/// What the path names as the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Path {
    None,
    Url,
    Base64,
}

/// Where the targets and options of one submission gather.
pub(super) struct Reader<'s> {
    pub(super) scratch: &'s mut Scratch,
    now: Wall,
    /// What the options say so far.
    pub(super) given: Given,
    /// The options of earlier sources, one bit a row.
    settled: u64,
    /// The options of the present source.
    seen: u64,
    /// Whether an earlier source named the targets.
    targets_settled: bool,
    /// Bytes of the fields that earlier sources gave.
    fields_settled: usize,
    /// Servers of our kind that the request has passed.
    pub(super) hops: u8,
}

/// Bytes of `Hookah-Forward-`.
const FORWARD_BYTES: usize = 15;
/// More servers of our kind than this are a loop (dispatch.md section 7).
const HOPS_MAX: u8 = 4;

impl<'s> Reader<'s> {
    pub(super) fn new(scratch: &'s mut Scratch, now: Wall) -> Reader<'s> {
        let given = Given::default();
        Reader {
            scratch,
            now,
            given,
            settled: 0,
            seen: 0,
            targets_settled: false,
            fields_settled: 0,
            hops: 0,
        }
    }

    pub(super) fn has_target(&self) -> bool {
        !(self.scratch.urls.is_empty() && self.scratch.topics.is_empty())
    }

    /// What comes now has less weight than everything so far.
    pub(super) fn next_source(&mut self) {
        self.settled |= self.seen;
        self.seen = 0;
        self.targets_settled = self.has_target();
        self.fields_settled = self.scratch.fields.len();
    }

    pub(super) fn path(&mut self, submission: &Submission<'_>) -> Result<Path, Problem> {
        let Some(tail) = submission.tail.filter(|tail| !tail.is_empty()) else {
            return Ok(Path::None);
        };
        let Scratch {
            text, value, urls, ..
        } = &mut *self.scratch;
        // No base64 has a colon, and no URL is without.
        let path = if tail.contains(':') {
            text.extend_from_slice(tail.as_bytes());
            if let Some(query) = submission.query {
                text.push(b'?');
                text.extend_from_slice(query.as_bytes());
            }
            Path::Url
        } else {
            form::unescape_into(tail.as_bytes(), value);
            // Many encoders break lines.
            value.retain(|byte| !matches!(byte, b'\r' | b'\n'));
            let url_safe = value.iter().any(|byte| matches!(byte, b'-' | b'_'));
            let engine = if url_safe {
                &URL_SAFE_PAD_INDIFFERENT
            } else {
                &STANDARD_PAD_INDIFFERENT
            };
            let decoded = engine.decode_vec(&*value, text).is_ok();
            if !decoded || std::str::from_utf8(text).is_err() {
                let detail = "what follows /dispatch/ is neither a URL nor the base64 of one";
                return Err(Problem::new(Reason::BadTarget, detail));
            }
            Path::Base64
        };
        urls.push(0..text.len());
        Ok(path)
    }

    /// What holds for everything that the client sends goes before all that it says.
    pub(super) fn caller(&mut self, caller: Caller<'_>) -> Result<(), Problem> {
        if !caller.strict {
            return Ok(());
        }
        match options::field(b"_targets") {
            Some(option) => self.option(option, "targets", b"public"),
            None => Ok(()),
        }
    }

    pub(super) fn headers(&mut self, headers: &[httparse::Header<'_>]) -> Result<(), Problem> {
        self.next_source();
        for header in headers {
            if let Some(option) = options::header(header.name) {
                self.option(option, header.name, header.value.trim_ascii())?;
            } else if header.name.eq_ignore_ascii_case("hookah-hops") {
                self.hops = self.hops.max(hops(header.value)?);
            }
        }
        Ok(())
    }

    /// Fields of the request itself that go on to the targets.
    pub(super) fn relay(&mut self, submission: &Submission<'_>) -> Result<(), Problem> {
        let Submission {
            headers, caller, ..
        } = *submission;
        if self.given.forward_headers {
            let own: &[&str] = match caller.authorized {
                true => &["idempotency-key", "authorization"],
                false => &["idempotency-key"],
            };
            return fields::relay(&mut self.scratch.fields, headers, own);
        }
        for header in headers {
            if header.name.eq_ignore_ascii_case("traceparent") {
                fields::pass(&mut self.scratch.fields, "traceparent", header.value);
            }
        }
        Ok(())
    }

    /// Takes the query's options; gives the name of the first field that is none.
    pub(super) fn query<'a>(&mut self, query: Query<'a>) -> Result<Option<&'a [u8]>, Problem> {
        self.next_source();
        let mut stray = None;
        for field in query.fields() {
            match option_of(field.name) {
                Some(option) => self.encoded(option, &field)?,
                None => stray = stray.or(Some(field.name)),
            }
        }
        Ok(stray)
    }

    /// Takes an option from a field that is still encoded.
    pub(super) fn encoded(
        &mut self,
        option: (usize, &'static Row),
        field: &form::Field<'_>,
    ) -> Result<(), Problem> {
        let name = form::decode(field.name);
        let spelled = String::from_utf8_lossy(&name);
        if !form::is_encoded(field.value) {
            return self.option(option, &spelled, field.value);
        }
        let mut value = std::mem::take(&mut self.scratch.value);
        value.clear();
        form::decode_into(field.value, &mut value);
        let taken = self.option(option, &spelled, &value);
        self.scratch.value = value;
        taken
    }

    /// Takes one option as the present source spells it.
    pub(super) fn option(
        &mut self,
        (index, row): (usize, &'static Row),
        spelled: &str,
        value: &[u8],
    ) -> Result<(), Problem> {
        let refuse = |complaint: &str| Err(options::bad_value(row, spelled, value, complaint));
        match row.take {
            Take::Url => match std::str::from_utf8(value) {
                Ok(_) => self.target(value, |scratch| &mut scratch.urls),
                // Not by `refuse`: a URL may hold credentials, and an answer must not repeat them.
                Err(_) => Err(Problem::new(
                    Reason::BadTarget,
                    format!("{spelled}: not UTF-8"),
                )),
            },
            Take::Topic if self.targets_settled => Ok(()),
            Take::Topic if value.starts_with(b"$") => Err(Reason::ReservedTopic.into()),
            Take::Topic if (1..=TOPIC_BYTES_MAX).contains(&value.len()) => {
                self.target(value, |scratch| &mut scratch.topics)
            }
            Take::Topic => refuse("is not a topic"),
            Take::Line => match fields::split(value) {
                Some((name, content)) => self.field(name, content).or_else(refuse),
                None => refuse("is not a header"),
            },
            Take::Forward => {
                // The table found the header by a prefix as long as this.
                let name = spelled.get(FORWARD_BYTES..).unwrap_or_default();
                self.field(name.as_bytes(), value).or_else(refuse)
            }
            Take::Value(set) | Take::Hidden(set) => {
                self.value((index, row), set, value).or_else(refuse)
            }
        }
    }

    /// Takes an option's value. The error is the complaint, to stand behind the value.
    fn value(
        &mut self,
        (index, row): (usize, &'static Row),
        set: fn(&mut Given, &str, Wall) -> Result<(), &'static str>,
        value: &[u8],
    ) -> Result<(), &'static str> {
        let bit = 1 << index;
        if self.seen & bit != 0 {
            return Err("is given twice");
        }
        self.seen |= bit;
        let text = std::str::from_utf8(value).map_err(|_| "is not UTF-8")?;
        if self.settled & bit != 0 {
            // A value that is outweighed is still refused if it is a bad one.
            return set(&mut Given::default(), text, self.now);
        }
        set(&mut self.given, text, self.now)?;
        let start = self.scratch.text.len();
        self.scratch.text.extend_from_slice(value);
        self.scratch
            .said
            .push((index, start..self.scratch.text.len()));
        if row.is_kept() {
            options::note(row, text, &mut self.scratch.kept);
        }
        Ok(())
    }

    /// Adds a field for the target, unless an earlier source has given one of that name.
    pub(super) fn field(&mut self, name: &[u8], value: &[u8]) -> Result<(), &'static str> {
        fields::add(&mut self.scratch.fields, self.fields_settled, name, value)
    }

    /// Adds a target, unless an earlier source has named them.
    pub(super) fn target(
        &mut self,
        value: &[u8],
        list: impl FnOnce(&mut Scratch) -> &mut Vec<Range<usize>>,
    ) -> Result<(), Problem> {
        if self.targets_settled {
            return Ok(());
        }
        if self.scratch.urls.len() + self.scratch.topics.len() >= TARGETS_MAX {
            let detail = format!("allowed: {TARGETS_MAX} URLs and topics together");
            return Err(Problem::new(Reason::TooManyTargets, detail));
        }
        let start = self.scratch.text.len();
        self.scratch.text.extend_from_slice(value);
        let end = self.scratch.text.len();
        list(self.scratch).push(start..end);
        Ok(())
    }
}

/// Servers of our kind that a request with these fields has passed.
///
/// # Errors
/// [`Reason::TooManyHops`]: it goes round and round.
pub fn hops_of(headers: &[httparse::Header<'_>]) -> Result<u8, Problem> {
    field::all(headers, "hookah-hops").try_fold(0, |most, value| Ok(hops(value)?.max(most)))
}

/// The number that came in; above the bound the message goes round and round.
fn hops(value: &[u8]) -> Result<u8, Problem> {
    let text = std::str::from_utf8(value).unwrap_or_default();
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|hops| digits && *hops <= HOPS_MAX);
    number.ok_or_else(|| {
        let text: String = text.chars().take(80).collect();
        let detail = format!("Hookah-Hops: {text:?}; allowed: 0 to {HOPS_MAX}");
        Problem::new(Reason::TooManyHops, detail)
    })
}

/// The option that a field's encoded name spells. Only a short name that begins with `_`, or with
/// an escape that may be one, has to be decoded.
pub(super) fn option_of(encoded_name: &[u8]) -> Option<(usize, &'static Row)> {
    match encoded_name.first() {
        Some(b'_' | b'%') if encoded_name.len() <= 3 * options::NAME_BYTES_MAX => {
            options::field(&form::decode(encoded_name))
        }
        _ => None,
    }
}
