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
pub(super) enum Kind {
    Form,
    Multipart(Delimiter),
    Other,
}

impl Kind {
    /// A body without a type is a form for who names no target elsewhere, as in the seed; else it is
    /// nobody's business. No body at all is a form without fields.
    pub(super) fn of(submission: &Submission<'_>, has_target: bool) -> Result<Kind, Problem> {
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

impl Reader<'_> {
    pub(super) fn form(
        &mut self,
        submission: &Submission<'_>,
        merge: Merge<'_>,
    ) -> Result<Outgoing, Problem> {
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

    pub(super) fn multipart(
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
    pub(super) fn merge_parts(
        &mut self,
        merge: Merge<'_>,
        delimiter: &Delimiter,
    ) -> Result<usize, Problem> {
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

    pub(super) fn part_option(
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
pub(super) struct Merge<'a> {
    pub(super) query: &'a [u8],
}

impl<'a> Merge<'a> {
    pub(super) fn fields(self) -> impl Iterator<Item = form::Field<'a>> {
        form::fields(self.query).filter(|field| !field.is_empty())
    }

    pub(super) fn payload(self) -> impl Iterator<Item = form::Field<'a>> {
        self.fields()
            .filter(|field| option_of(field.name).is_none())
    }
}

fn bad_form(malformed: multipart::Malformed) -> Problem {
    Problem::new(Reason::BadForm, malformed.to_string())
}
