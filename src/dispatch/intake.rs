//! Reads one POST to /dispatch: its targets, its options, and the body that the targets get.
//! It resolves no target and accepts nothing; it does not touch the request's connection.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_PAD_INDIFFERENT, URL_SAFE_PAD_INDIFFERENT};

use crate::base::time::Wall;
use crate::dispatch::Settings;
use crate::dispatch::options::{self, Given, Options, Row, Take};
use crate::http::form::{self, Keeper};
use crate::http::media;
use crate::http::multipart::{self, Delimiter};
use crate::http::problem::{Problem, Reason};
use crate::model::Method;

/// Targets of one message at most, URLs and topics together.
pub const TARGETS_MAX: usize = 64;
/// Bytes of a topic's name at most (streams.md section 1).
pub const TOPIC_BYTES_MAX: usize = 1_024;

/// What of a request the intake looks at.
#[derive(Clone, Copy, Debug)]
pub struct Submission<'a> {
    /// What follows `/dispatch/` in the path, still encoded; `None` for `/dispatch` itself.
    pub tail: Option<&'a str>,
    /// What follows the first `?` of the request target.
    pub query: Option<&'a str>,
    /// The Content-Type field.
    pub content_type: Option<&'a str>,
    /// The whole body, its transfer coding removed.
    pub body: &'a [u8],
    /// The head's fields.
    pub headers: &'a [httparse::Header<'a>],
}

/// What a POST to /dispatch asks for. Everything lies in the request or the scratch; nothing is owned
/// but the retry schedule, if the message brings its own.
#[derive(Clone, Debug)]
pub struct Intake<'a> {
    /// The method of the call.
    pub method: Method,
    /// The target URLs as given, in order, repeated ones too; still to be parsed.
    pub urls: Texts<'a>,
    /// The topics as given, in order.
    pub topics: Texts<'a>,
    /// When and how often to try.
    pub options: Options,
    /// The media type that goes out with the body; empty for none.
    pub content_type: &'a str,
    /// The body that the targets get.
    pub body: &'a [u8],
}

/// Texts that lie in the scratch, in order.
#[derive(Clone, Copy, Debug)]
pub struct Texts<'a> {
    text: &'a [u8],
    ranges: &'a [Range<usize>],
}

impl<'a> Texts<'a> {
    /// Each of them as bytes: topics are opaque.
    pub fn bytes(self) -> impl ExactSizeIterator<Item = &'a [u8]> {
        self.ranges
            .iter()
            .map(move |range| self.text.get(range.clone()).unwrap_or_default())
    }

    /// Each of them as text. URLs always are; what is not UTF-8 comes as nothing.
    pub fn strs(self) -> impl ExactSizeIterator<Item = &'a str> {
        self.bytes()
            .map(|bytes| std::str::from_utf8(bytes).unwrap_or_default())
    }

    /// How many there are.
    #[must_use]
    pub fn len(self) -> usize {
        self.ranges.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.ranges.is_empty()
    }
}

/// Buffers that [`read`] uses again and again, so that the common request allocates nothing.
#[derive(Debug, Default)]
pub struct Scratch {
    body: Vec<u8>,
    text: Vec<u8>,
    value: Vec<u8>,
    urls: Vec<Range<usize>>,
    topics: Vec<Range<usize>>,
}

impl Scratch {
    fn clear(&mut self) {
        self.body.clear();
        self.text.clear();
        self.value.clear();
        self.urls.clear();
        self.topics.clear();
    }
}

/// Reads a submission: the sources in the order of dispatch.md section 3, so that the first one that
/// names a target or sets an option wins.
pub fn read<'a>(
    submission: &Submission<'a>,
    defaults: &Settings,
    now: Wall,
    scratch: &'a mut Scratch,
) -> Result<Intake<'a>, Problem> {
    scratch.clear();
    let mut reader = Reader::new(scratch, now);
    let path = reader.path(submission)?;
    reader.headers(submission)?;
    // The query of a URL in the path is the target's own.
    let query = if path == Path::Url {
        None
    } else {
        submission.query
    };
    let merge = Merge {
        query: query.unwrap_or_default().as_bytes(),
    };
    reader.next_source();
    let stray = reader.query(merge)?;
    let outgoing = match (path, Kind::of(submission, reader.has_target())?) {
        (Path::None, Kind::Form) => reader.form(submission, merge)?,
        (Path::None, Kind::Multipart(delimiter)) => {
            reader.multipart(submission, merge, &delimiter)?
        }
        (Path::None, Kind::Other) | (Path::Url | Path::Base64, _) => {
            if let Some(name) = stray {
                return Err(stray_field(name));
            }
            Outgoing::Untouched
        }
    };
    if !reader.has_target() {
        return Err(Reason::NoDestination.into());
    }
    let given = reader.given;
    let usual = if outgoing == Outgoing::NoField {
        Method::Get
    } else {
        Method::Post
    };
    let method = given.method.unwrap_or(usual);
    let options = given.settle(defaults, now)?;
    let scratch = &*scratch;
    let (content_type, body) = match outgoing {
        Outgoing::Untouched => (submission.content_type.unwrap_or_default(), submission.body),
        Outgoing::Fields => (
            submission.content_type.unwrap_or(form::MEDIA_TYPE),
            scratch.body.as_slice(),
        ),
        Outgoing::NoField => ("", [].as_slice()),
    };
    let texts = |ranges| Texts {
        text: &scratch.text,
        ranges,
    };
    let (urls, topics) = (texts(&scratch.urls), texts(&scratch.topics));
    Ok(Intake {
        method,
        urls,
        topics,
        options,
        content_type,
        body,
    })
}

/// What the path names as the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Path {
    None,
    Url,
    Base64,
}

/// What the targets get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outgoing {
    /// The body as it came.
    Untouched,
    /// The fields gathered in the scratch.
    Fields,
    /// A form without a field: it has no body at all.
    NoField,
}

/// How the body is read.
enum Kind {
    Form,
    Multipart(Delimiter),
    Other,
}

impl Kind {
    /// A body without a type is a form for who names no target elsewhere, as in the seed; else it is
    /// nobody's business. No body at all is a form without fields.
    fn of(submission: &Submission<'_>, has_target: bool) -> Result<Kind, Problem> {
        match submission.content_type {
            None if submission.body.is_empty() || !has_target => Ok(Kind::Form),
            Some(given) if media::is(given, form::MEDIA_TYPE) => Ok(Kind::Form),
            Some(given) if media::is(given, multipart::MEDIA_TYPE) => {
                Delimiter::of(given).map(Kind::Multipart).map_err(bad_form)
            }
            _ => Ok(Kind::Other),
        }
    }
}

fn bad_form(malformed: multipart::Malformed) -> Problem {
    Problem::new(Reason::BadForm, malformed.to_string())
}

fn stray_field(name: &[u8]) -> Problem {
    let name = String::from_utf8_lossy(name);
    let name: String = name.chars().take(80).collect();
    let detail = format!("query field {name:?} is no option; allowed: options, or a form body");
    Problem::new(Reason::BadQuery, detail)
}

/// The query, whose fields that are no options go before those of the body.
#[derive(Clone, Copy)]
struct Merge<'a> {
    query: &'a [u8],
}

impl<'a> Merge<'a> {
    fn fields(self) -> impl Iterator<Item = form::Field<'a>> {
        form::fields(self.query).filter(|field| !field.is_empty())
    }

    fn payload(self) -> impl Iterator<Item = form::Field<'a>> {
        self.fields()
            .filter(|field| option_of(field.name).is_none())
    }
}

/// The option that a field's encoded name spells. Only a name that begins with `_`, or with an escape
/// that may be one, has to be decoded.
fn option_of(encoded_name: &[u8]) -> Option<(usize, &'static Row)> {
    match encoded_name.first() {
        Some(b'_' | b'%') => options::field(&form::decode(encoded_name)),
        _ => None,
    }
}

/// Where the targets and options of one submission gather.
struct Reader<'s> {
    scratch: &'s mut Scratch,
    now: Wall,
    given: Given,
    /// The options of earlier sources, one bit a row.
    settled: u64,
    /// The options of the present source.
    seen: u64,
    /// Whether an earlier source named the targets.
    targets_settled: bool,
}

impl<'s> Reader<'s> {
    fn new(scratch: &'s mut Scratch, now: Wall) -> Reader<'s> {
        let given = Given::default();
        Reader {
            scratch,
            now,
            given,
            settled: 0,
            seen: 0,
            targets_settled: false,
        }
    }

    fn has_target(&self) -> bool {
        !(self.scratch.urls.is_empty() && self.scratch.topics.is_empty())
    }

    /// What comes now has less weight than everything so far.
    fn next_source(&mut self) {
        self.settled |= self.seen;
        self.seen = 0;
        self.targets_settled = self.has_target();
    }

    fn path(&mut self, submission: &Submission<'_>) -> Result<Path, Problem> {
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

    fn headers(&mut self, submission: &Submission<'_>) -> Result<(), Problem> {
        self.next_source();
        for header in submission.headers {
            if let Some(option) = options::header(header.name) {
                self.option(option, header.name, header.value.trim_ascii())?;
            }
        }
        Ok(())
    }

    /// Takes the query's options; gives the name of the first field that is none.
    fn query<'a>(&mut self, merge: Merge<'a>) -> Result<Option<&'a [u8]>, Problem> {
        let mut stray = None;
        for field in merge.fields() {
            match option_of(field.name) {
                Some(option) => self.encoded(option, &field)?,
                None => stray = stray.or(Some(field.name)),
            }
        }
        Ok(stray)
    }

    fn form(&mut self, submission: &Submission<'_>, merge: Merge<'_>) -> Result<Outgoing, Problem> {
        self.next_source();
        let mut gathered = std::mem::take(&mut self.scratch.body);
        let mut keeper = Keeper::new(&mut gathered);
        merge.payload().for_each(|field| keeper.keep(&field));
        // An empty body is one empty piece; behind the query's fields it would add a `&`.
        let fields = form::fields(submission.body).filter(|_| !submission.body.is_empty());
        for field in fields {
            match option_of(field.name) {
                Some(option) => self.encoded(option, &field)?,
                None => keeper.keep(&field),
            }
        }
        let outgoing = if keeper.fields() == 0 {
            Outgoing::NoField
        } else {
            Outgoing::Fields
        };
        self.scratch.body = gathered;
        Ok(outgoing)
    }

    fn multipart(
        &mut self,
        submission: &Submission<'_>,
        merge: Merge<'_>,
        delimiter: &Delimiter,
    ) -> Result<Outgoing, Problem> {
        self.next_source();
        let body = submission.body;
        let mut parts = delimiter.parts(body);
        let mut kept: Option<usize> = None;
        // Up to where the body is copied or left out.
        let mut done = 0;
        loop {
            let part = parts.next().transpose().map_err(bad_form)?;
            let open = part.as_ref().map_or(parts.close(), |part| part.range.start);
            self.scratch
                .body
                .extend_from_slice(body.get(done..open).unwrap_or_default());
            done = open;
            if kept.is_none() {
                kept = Some(self.merge_parts(merge, delimiter)?);
            }
            let Some(part) = part else { break };
            match options::field(part.name) {
                Some(option) => {
                    self.part_option(option, &part)?;
                    done = part.range.end;
                }
                None => kept = kept.map(|count| count + 1),
            }
        }
        self.scratch
            .body
            .extend_from_slice(body.get(done..).unwrap_or_default());
        if body.is_empty() {
            delimiter.write_end(&mut self.scratch.body);
        }
        Ok(if kept == Some(0) {
            Outgoing::NoField
        } else {
            Outgoing::Fields
        })
    }

    /// Writes the query's fields as parts; gives their number.
    fn merge_parts(&mut self, merge: Merge<'_>, delimiter: &Delimiter) -> Result<usize, Problem> {
        let mut count = 0;
        for field in merge.payload() {
            let (name, value) = (form::decode(field.name), form::decode(field.value));
            if !delimiter.write_field(&name, &value, &mut self.scratch.body) {
                let detail = "a query field contains the boundary of the multipart body";
                return Err(Problem::new(Reason::BadForm, detail));
            }
            count += 1;
        }
        Ok(count)
    }

    fn part_option(
        &mut self,
        option: (usize, &'static Row),
        part: &multipart::Part<'_>,
    ) -> Result<(), Problem> {
        let spelled = String::from_utf8_lossy(part.name);
        if part.filename.is_some() {
            let detail = format!("{spelled}: a file cannot be an option; allowed: a plain field");
            return Err(Problem::new(Reason::BadOption, detail));
        }
        self.option(option, &spelled, part.content)
    }

    /// Takes an option from a field that is still encoded.
    fn encoded(
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
    fn option(
        &mut self,
        (index, row): (usize, &'static Row),
        spelled: &str,
        value: &[u8],
    ) -> Result<(), Problem> {
        let refuse = |complaint: &str| Err(options::bad_value(row, spelled, value, complaint));
        match row.take {
            Take::Url => match std::str::from_utf8(value) {
                Ok(_) => self.target(value, |scratch| &mut scratch.urls),
                Err(_) => refuse("is not UTF-8"),
            },
            Take::Topic => {
                if self.targets_settled {
                    return Ok(());
                }
                if value.starts_with(b"$") {
                    return Err(Reason::ReservedTopic.into());
                }
                if !(1..=TOPIC_BYTES_MAX).contains(&value.len()) {
                    return refuse("is not a topic");
                }
                self.target(value, |scratch| &mut scratch.topics)
            }
            Take::Value(set) => {
                let bit = 1 << index;
                if self.seen & bit != 0 {
                    return refuse("is given twice");
                }
                self.seen |= bit;
                let Ok(text) = std::str::from_utf8(value) else {
                    return refuse("is not UTF-8");
                };
                // A value that is outweighed is still refused if it is a bad one.
                let mut outweighed = Given::default();
                let lost = self.settled & bit != 0;
                let given = if lost {
                    &mut outweighed
                } else {
                    &mut self.given
                };
                set(given, text, self.now).or_else(refuse)
            }
            Take::Unsupported => {
                let detail = format!("{spelled} is not supported by this version");
                Err(Problem::new(Reason::BadOption, detail))
            }
        }
    }

    /// Adds a target, unless an earlier source has named them.
    fn target(
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

#[cfg(test)]
mod tests;
