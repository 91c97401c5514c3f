//! Rows of the attempts: an attempt, the end of a delivery, or both in one.
//! It runs no statement.

use rusqlite::types::ValueRef;
use rusqlite::{Row, Statement};

use super::{Bind, Crc, Damaged, Read};
use crate::base::time::Wall;
use crate::model::Outcome;
use crate::model::record::{Answered, Attempt, End, Status};

/// The number of the attempt that stands for an end without one.
pub(in crate::store::sqlite) const NO_ATTEMPT: u32 = (1 << 31) - 1;

/// An attempt's columns, in the order in which they are bound and read.
pub(in crate::store::sqlite) const ATTEMPT: &str = "\
     number, delivery, attempt, at, took, status, error, detail, \
     outcome, why, ended_at, url, subscription, truncated, crc, headers, body";
/// Takes in an attempt, unless it is there.
pub(in crate::store::sqlite) const INSERT_ATTEMPT: &str = "\
     INSERT OR IGNORE INTO attempts (number, delivery, \
     attempt, at, took, status, error, detail, outcome, why, ended_at, url, subscription, \
     truncated, crc, headers, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

/// A row of the attempts.
#[derive(Debug)]
pub(in crate::store::sqlite) struct Tried {
    /// The message's number.
    pub(in crate::store::sqlite) message: i64,
    /// The delivery's number within the message.
    pub(in crate::store::sqlite) delivery: u32,
    /// The attempt; none for an end without one.
    pub(in crate::store::sqlite) attempt: Option<Attempt>,
    /// The end, if this was the last.
    pub(in crate::store::sqlite) end: Option<Ended>,
}

/// How a delivery ended, as it is kept.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::store::sqlite) struct Ended {
    /// How.
    pub(in crate::store::sqlite) outcome: Outcome,
    /// Why, where no attempt says it; may be empty.
    pub(in crate::store::sqlite) why: Box<str>,
    /// When.
    pub(in crate::store::sqlite) at: Wall,
    /// Where it went, without credentials.
    pub(in crate::store::sqlite) url: Box<str>,
    /// The number of the subscription it went to; zero for none.
    pub(in crate::store::sqlite) subscription: u64,
}

impl Ended {
    /// The end as it is kept, of a delivery to that subscription.
    pub(in crate::store::sqlite) fn of(end: &End, subscription: u64) -> Ended {
        Ended {
            outcome: end.outcome,
            why: end.detail.into(),
            at: end.at,
            url: end.target.url.clone(),
            subscription,
        }
    }
}

fn attempt_crc(
    key: (i64, u32),
    attempt: Option<&Attempt>,
    end: Option<&Ended>,
    truncated: bool,
) -> u32 {
    let mut crc = Crc::default()
        .number(key.0.cast_unsigned())
        .number(key.1.into());
    if let Some(attempt) = attempt {
        let answer = attempt.answer.as_deref();
        crc = crc
            .number(attempt.attempt.into())
            .number(attempt.at.0)
            .number(attempt.took)
            .number(attempt.status.into())
            .given(attempt.error.as_bytes())
            .given(attempt.detail.as_bytes())
            .given(answer.map_or(&[], |answer| &answer.head))
            .given(answer.map_or(&[], |answer| &answer.body))
            .number(truncated.into());
    }
    if let Some(end) = end {
        crc = crc
            .bytes(end.outcome.as_str().as_bytes())
            .given(end.why.as_bytes())
            .number(end.at.0)
            .bytes(end.url.as_bytes())
            .number(end.subscription);
    }
    crc.0
}

/// Binds an attempt, an end or both to [`INSERT_ATTEMPT`]; `key` is the message's and the
/// delivery's number.
pub(in crate::store::sqlite) fn bind_attempt(
    to: &mut Statement<'_>,
    key: (i64, u32),
    attempt: Option<&Attempt>,
    end: Option<&Ended>,
) -> rusqlite::Result<()> {
    let answer = attempt.and_then(|attempt| attempt.answer.as_deref());
    let truncated = answer.is_some_and(|answer| answer.truncated);
    let mut to = Bind(to, 0);
    to.number(key.0)?;
    to.number(key.1.into())?;
    if let Some(attempt) = attempt {
        to.number(attempt.attempt.into())?;
        to.number(attempt.at.0.cast_signed())?;
        to.number(attempt.took.cast_signed())?;
        to.number(attempt.status.into())?;
        to.text(&attempt.error)?;
        to.text(&attempt.detail)?;
    } else {
        to.number(NO_ATTEMPT.into())?;
        for _ in 0..5 {
            to.put(ValueRef::Null)?;
        }
    }
    if let Some(end) = end {
        to.text(end.outcome.as_str())?;
        to.text(&end.why)?;
        to.number(end.at.0.cast_signed())?;
        to.text(&end.url)?;
        to.number(end.subscription.cast_signed())?;
    } else {
        for _ in 0..5 {
            to.put(ValueRef::Null)?;
        }
    }
    to.number(truncated.into())?;
    to.number(attempt_crc(key, attempt, end, truncated).into())?;
    to.blob(answer.map_or(&[], |answer| &answer.head))?;
    to.blob(answer.map_or(&[], |answer| &answer.body))
}

/// The attempt, the end or both in a row of [`ATTEMPT`] that begins at column `from`.
pub(in crate::store::sqlite) fn attempt(row: &Row<'_>, from: usize) -> Result<Tried, Damaged> {
    let tried = unchecked(row, from)?;
    let (attempt, truncated) = (tried.0.attempt.as_ref(), tried.1);
    let key = (tried.0.message, tried.0.delivery);
    if attempt_crc(key, attempt, tried.0.end.as_ref(), truncated) == tried.2 {
        Ok(tried.0)
    } else {
        Err(Damaged)
    }
}

fn unchecked(row: &Row<'_>, from: usize) -> Result<(Tried, bool, u32), Damaged> {
    let mut row = Read(row, from);
    let (message, delivery, number) = (row.number()?, row.small()?, row.small()?);
    let mut attempt = None;
    if number == NO_ATTEMPT {
        row.1 += 5;
    } else {
        attempt = Some(Attempt {
            attempt: number,
            at: Wall(row.unsigned()?),
            took: row.unsigned()?,
            status: row.small()?,
            error: row.text()?.to_owned().into(),
            detail: row.text()?.to_owned().into(),
            answer: None,
        });
    }
    let end = match row.text()? {
        "" => {
            row.1 += 4;
            None
        }
        word => Some(Ended {
            outcome: outcome(word).ok_or(Damaged)?,
            why: row.text()?.into(),
            at: Wall(row.unsigned()?),
            url: row.text()?.into(),
            subscription: row.unsigned()?,
        }),
    };
    let (truncated, crc) = (row.number()? != 0, row.small()?);
    if let Some(attempt) = &mut attempt {
        let (head, body) = (row.blob()?, row.blob()?);
        let any = truncated || !head.is_empty() || !body.is_empty();
        attempt.answer = any.then(|| {
            Box::new(Answered {
                head: head.into(),
                body: body.into(),
                truncated,
            })
        });
    }
    let tried = Tried {
        message,
        delivery,
        attempt,
        end,
    };
    Ok((tried, truncated, crc))
}

fn outcome(word: &str) -> Option<Outcome> {
    match Status::parse(word)? {
        Status::Ended(outcome) => Some(outcome),
        _ => None,
    }
}
