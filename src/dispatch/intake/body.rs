//! The body that the targets get: the fields that are no options, copied and never re-encoded.
//! What an option means is not decided here.

use std::borrow::Cow;

use super::Submission;
use super::reader::{Reader, option_of};
use crate::dispatch::options::{self, Row};
use crate::http::form::{self, Keeper};
use crate::http::json::cut::Cutter;
use crate::http::json::scan::{self, Member};
use crate::http::media;
use crate::http::multipart::{self, Delimiter};
use crate::http::problem::{Problem, Reason};

/// What the targets get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outgoing {
    /// The body as it came.
    Untouched,
    /// The fields gathered in the scratch.
    Fields,
    /// A form without a field: it has no body at all.
    NoField,
    /// What is left of a JSON object, in the scratch.
    Members,
}

/// How the body is read.
enum Kind {
    Form,
    Multipart(Delimiter),
    Json,
    Other,
}

impl Kind {
    /// A body without a type is a form for who names no target elsewhere, as in the seed; else it
    /// is nobody's business. No body at all is a form without fields.
    fn of(submission: &Submission<'_>, has_target: bool) -> Result<Kind, Problem> {
        match submission.media_type() {
            None if submission.body.is_empty() || !has_target => Ok(Kind::Form),
            Some(given) if media::is(given, form::MEDIA_TYPE) => Ok(Kind::Form),
            Some(given) if media::is(given, multipart::MEDIA_TYPE) => {
                Delimiter::of(given).map(Kind::Multipart).map_err(bad_form)
            }
            // A target from elsewhere leaves the body alone (dispatch.md section 10).
            Some(given) if !has_target && media::is_json(given) => Ok(Kind::Json),
            _ => Ok(Kind::Other),
        }
    }
}

impl Reader<'_> {
    /// Takes the body's options and gathers, after the query's fields, what it has besides.
    pub(super) fn body(
        &mut self,
        submission: &Submission<'_>,
        query: Query<'_>,
    ) -> Result<Outgoing, Problem> {
        let kind = Kind::of(submission, self.has_target())?;
        self.next_source();
        let fields = match kind {
            Kind::Form => self.form(submission.body, query)?,
            Kind::Multipart(delimiter) => self.multipart(submission.body, query, &delimiter)?,
            Kind::Json => return self.json(submission.body).map(|()| Outgoing::Members),
            Kind::Other => return Ok(Outgoing::Untouched),
        };
        Ok(if fields == 0 {
            Outgoing::NoField
        } else {
            Outgoing::Fields
        })
    }

    /// Gathers a form; gives the number of its fields.
    fn form(&mut self, body: &[u8], query: Query<'_>) -> Result<usize, Problem> {
        let mut gathered = std::mem::take(&mut self.scratch.body);
        let mut keeper = Keeper::new(&mut gathered);
        query.payload().for_each(|field| keeper.keep(&field));
        // An empty body is one empty piece; behind the query's fields it would add a `&`.
        for field in form::fields(body).filter(|_| !body.is_empty()) {
            match option_of(field.name) {
                Some(option) => self.encoded(option, &field)?,
                None => keeper.keep(&field),
            }
        }
        let fields = keeper.fields();
        self.scratch.body = gathered;
        Ok(fields)
    }

    /// Gathers a multipart body; gives the number of its parts.
    fn multipart(
        &mut self,
        body: &[u8],
        query: Query<'_>,
        delimiter: &Delimiter,
    ) -> Result<usize, Problem> {
        let mut parts = delimiter.parts(body);
        let mut next = parts.next().transpose().map_err(bad_form)?;
        // The query's fields go where the first part, or the end, stands.
        let first = next.as_ref().map_or(parts.close(), |part| part.range.start);
        let (preamble, _) = body.split_at_checked(first).unwrap_or_default();
        self.scratch.body.extend_from_slice(preamble);
        let mut count = self.merge_parts(query, delimiter)?;
        while let Some(part) = next {
            match options::field(part.name) {
                Some(option) => self.part_option(option, &part)?,
                None => {
                    let whole = body.get(part.range).unwrap_or_default();
                    self.scratch.body.extend_from_slice(whole);
                    count += 1;
                }
            }
            next = parts.next().transpose().map_err(bad_form)?;
        }
        let end = body.get(parts.close()..).unwrap_or_default();
        self.scratch.body.extend_from_slice(end);
        if body.is_empty() {
            delimiter.write_end(&mut self.scratch.body);
        }
        Ok(count)
    }

    /// Writes the query's fields as parts; gives their number.
    fn merge_parts(&mut self, query: Query<'_>, delimiter: &Delimiter) -> Result<usize, Problem> {
        let mut count = 0;
        for field in query.payload() {
            let (name, value) = (form::decode(field.name), form::decode(field.value));
            if !delimiter.write_field(&name, &value, &mut self.scratch.body) {
                let detail = "a query field cannot be a part: its value has the boundary, or its \
                              name a backslash or NUL";
                return Err(Problem::new(Reason::BadForm, detail));
            }
            count += 1;
        }
        Ok(count)
    }

    /// Gathers what is left of a JSON object without its options; other JSON names no target.
    fn json(&mut self, body: &[u8]) -> Result<(), Problem> {
        if body.trim_ascii().is_empty() {
            return Ok(());
        }
        let mut left = std::mem::take(&mut self.scratch.body);
        let mut cutter = Cutter::new(body);
        for member in scan::object(body).map_err(bad_json)?.into_iter().flatten() {
            let member = member.map_err(bad_json)?;
            let option = member_option(body, &member);
            cutter.take(&member, option.is_none(), &mut left);
            if let Some((option, name)) = option {
                let value = body.get(member.value).unwrap_or_default();
                self.member(option, &name, value)?;
            }
        }
        cutter.finish(&mut left);
        self.scratch.body = left;
        Ok(())
    }

    /// Takes an option from a member: a string, a number, a boolean, or strings in an array where
    /// the option may be repeated.
    pub(super) fn member(
        &mut self,
        option: (usize, &'static Row),
        name: &str,
        value: &[u8],
    ) -> Result<(), Problem> {
        if option.1.is_repeatable() && value.starts_with(b"[") {
            for element in scan::array(value).map_err(bad_json)?.into_iter().flatten() {
                let range = element.map_err(bad_json)?.value;
                let text = value.get(range).and_then(scan::text);
                let text = text.ok_or_else(|| bad_member(option.1, name, "strings"))?;
                self.option(option, name, &text)?;
            }
            return Ok(());
        }
        match value.first() {
            Some(b'"') => {
                let text = scan::text(value).ok_or_else(|| bad_member(option.1, name, "text"))?;
                self.option(option, name, &text)
            }
            Some(b'[' | b'{' | b'n') | None => Err(bad_member(option.1, name, "a plain value")),
            Some(_) => self.option(option, name, value),
        }
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
}

/// The query, whose fields that are no options go before those of the body.
#[derive(Clone, Copy)]
pub(super) struct Query<'a>(pub(super) &'a [u8]);

impl<'a> Query<'a> {
    /// Every field; the nothing between two `&` is none.
    pub(super) fn fields(self) -> impl Iterator<Item = form::Field<'a>> {
        form::fields(self.0).filter(|field| !field.is_empty())
    }

    /// Every field that is no option.
    fn payload(self) -> impl Iterator<Item = form::Field<'a>> {
        self.fields()
            .filter(|field| option_of(field.name).is_none())
    }
}

/// The option that a member is, and its name.
fn member_option<'a>(
    body: &'a [u8],
    member: &Member,
) -> Option<((usize, &'static Row), Cow<'a, str>)> {
    let name = scan::text(body.get(member.name.clone())?)?;
    let option = options::field(&name)?;
    // What spells an option is ASCII.
    let name = match name {
        Cow::Borrowed(name) => String::from_utf8_lossy(name),
        Cow::Owned(name) => Cow::Owned(String::from_utf8_lossy(&name).into_owned()),
    };
    Some((option, name))
}

/// The value itself is not repeated: it may be long, or a secret.
fn bad_member(row: &Row, name: &str, wanted: &str) -> Problem {
    let allowed = row.allowed;
    let detail = format!("{name}: the member is not {wanted}; allowed: {allowed}");
    Problem::new(Reason::BadOption, detail)
}

pub(super) fn bad_json(malformed: scan::Malformed) -> Problem {
    Problem::new(Reason::BadJson, malformed.to_string())
}

fn bad_form(malformed: multipart::Malformed) -> Problem {
    Problem::new(Reason::BadForm, malformed.to_string())
}
