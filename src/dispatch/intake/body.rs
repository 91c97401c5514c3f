//! The body that the targets get: the fields that are no options, copied and never re-encoded.
//! What an option means is not decided here.

use super::Submission;
use super::reader::{Reader, option_of};
use crate::dispatch::options::{self, Row};
use crate::http::form::{self, Keeper};
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
}

/// How the body is read.
enum Kind {
    Form,
    Multipart(Delimiter),
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

fn bad_form(malformed: multipart::Malformed) -> Problem {
    Problem::new(Reason::BadForm, malformed.to_string())
}
