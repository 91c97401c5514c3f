//! Rows and the nouns they stand for, both ways, and the CRC32C that each row carries.
//! It runs no statement; the writer and the readers do, and share this.

use std::borrow::Cow;
use std::sync::Arc;

use crc32c::crc32c_append;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Row, Statement, ToSql};

use crate::base::frame::Frame;
use crate::base::time::Wall;
use crate::model::record::{Place, Work};
use crate::model::{Extra, Message, MessageId, Method, Target, TopicNames};

mod attempt;

pub(super) use attempt::{
    ATTEMPT, Ended, INSERT_ATTEMPT, NO_ATTEMPT, Tried, attempt, bind_attempt,
};

/// `work.parked` of what the server has in memory,
pub(super) const HELD: i64 = 0;
/// of what is in the store alone,
pub(super) const PARKED: i64 = 1;
/// and of what cannot be gone on with.
pub(super) const DAMAGED: i64 = 2;

/// A message's columns, in the order in which they are bound and read.
pub(super) const MESSAGE: &str = "number, tail, accepted, method, hops, content_type, label, \
     event, options, resend_of, topics, fields, size, crc, body";
/// Takes in a message, unless it is there.
pub(super) const INSERT_MESSAGE: &str = "INSERT OR IGNORE INTO messages (number, tail, accepted, \
     method, hops, content_type, label, event, options, resend_of, topics, fields, size, crc, \
     body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

/// A delivery's columns, in the order in which they are bound and read.
pub(super) const WORK: &str = "number, delivery, lane, rank, due, parked, attempts, expires, \
     subscription, url, authorization, crc";
/// Takes in a delivery, unless it is there.
pub(super) const INSERT_WORK: &str = "INSERT OR IGNORE INTO work (number, delivery, lane, rank, \
     due, parked, attempts, expires, subscription, url, authorization, crc) \
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

/// A row that is not as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Damaged;

impl From<rusqlite::Error> for Damaged {
    /// Only a column of another type, or text that is not UTF-8, is an error of reading a value.
    fn from(_: rusqlite::Error) -> Damaged {
        Damaged
    }
}

/// A message's id from the two halves that are kept.
pub(super) fn id_of(number: i64, tail: i64) -> MessageId {
    let number = u128::from(number.cast_unsigned());
    MessageId((number << 64) | u128::from(tail.cast_unsigned()))
}

/// The first half of an id, as a row's number.
pub(super) fn number_of(id: MessageId) -> i64 {
    id.number().cast_signed()
}

/// The second half of an id.
fn tail_of(id: MessageId) -> i64 {
    // The cut is meant.
    (id.0 as u64).cast_signed()
}

/// CRC32C (Castagnoli) over values one after the other: a number is its eight bytes, the least
/// first; a text or blob is its length as a number and then its bytes; null is the number -1.
#[derive(Clone, Copy, Default)]
struct Crc(u32);

impl Crc {
    fn number(self, value: u64) -> Crc {
        Crc(crc32c_append(self.0, &value.to_le_bytes()))
    }

    fn bytes(self, value: &[u8]) -> Crc {
        Crc(crc32c_append(self.number(value.len() as u64).0, value))
    }

    /// Empty is null.
    fn given(self, value: &[u8]) -> Crc {
        if value.is_empty() {
            self.number(u64::MAX)
        } else {
            self.bytes(value)
        }
    }
}

/// Binds values one after the other. Borrowed ones are not copied.
struct Bind<'s, 'c>(&'s mut Statement<'c>, usize);

impl Bind<'_, '_> {
    fn put(&mut self, value: ValueRef<'_>) -> rusqlite::Result<()> {
        self.1 += 1;
        self.0.raw_bind_parameter(self.1, Borrowed(value))
    }

    fn number(&mut self, value: i64) -> rusqlite::Result<()> {
        self.put(ValueRef::Integer(value))
    }

    /// Empty is null.
    fn text(&mut self, value: &str) -> rusqlite::Result<()> {
        self.put(match value {
            "" => ValueRef::Null,
            text => ValueRef::Text(text.as_bytes()),
        })
    }

    /// Empty is null.
    fn blob(&mut self, value: &[u8]) -> rusqlite::Result<()> {
        self.put(match value {
            [] => ValueRef::Null,
            bytes => ValueRef::Blob(bytes),
        })
    }
}

struct Borrowed<'a>(ValueRef<'a>);

impl ToSql for Borrowed<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(self.0))
    }
}

/// Reads columns one after the other.
struct Read<'r, 's>(&'r Row<'s>, usize);

impl<'r> Read<'r, '_> {
    fn next(&mut self) -> Result<ValueRef<'r>, Damaged> {
        self.1 += 1;
        Ok(self.0.get_ref(self.1 - 1)?)
    }

    fn number(&mut self) -> Result<i64, Damaged> {
        self.next()?.as_i64().map_err(|_| Damaged)
    }

    fn unsigned(&mut self) -> Result<u64, Damaged> {
        self.number().map(i64::cast_unsigned)
    }

    fn small<T: TryFrom<i64>>(&mut self) -> Result<T, Damaged> {
        T::try_from(self.number()?).map_err(|_| Damaged)
    }

    /// Null is empty.
    fn text(&mut self) -> Result<&'r str, Damaged> {
        let text = self.next()?.as_str_or_null().map_err(|_| Damaged)?;
        Ok(text.unwrap_or_default())
    }

    /// Null is empty.
    fn blob(&mut self) -> Result<&'r [u8], Damaged> {
        let bytes = self.next()?.as_blob_or_null().map_err(|_| Damaged)?;
        Ok(bytes.unwrap_or_default())
    }
}

fn message_crc(message: &Message, body: &[u8]) -> u32 {
    let none = Extra::default();
    let extra = message.extra.as_deref().unwrap_or(&none);
    let resend_of = extra.resend_of.map_or([0; 16], |id| id.0.to_be_bytes());
    Crc::default()
        .bytes(&message.id.0.to_le_bytes())
        .number(message.accepted.0)
        .bytes(message.method.as_str().as_bytes())
        .number(message.hops.into())
        .given(message.content_type.as_bytes())
        .given(extra.label.as_deref().unwrap_or_default().as_bytes())
        .given(extra.event.as_deref().unwrap_or_default().as_bytes())
        .given(extra.options.as_bytes())
        .bytes(&resend_of)
        .given(message.topics.as_bytes())
        .given(&extra.fields)
        .bytes(body)
        .0
}

/// Binds a message to [`INSERT_MESSAGE`].
pub(super) fn bind_message(to: &mut Statement<'_>, message: &Message) -> rusqlite::Result<()> {
    let mut to = Bind(to, 0);
    to.number(number_of(message.id))?;
    to.number(tail_of(message.id))?;
    to.number(message.accepted.0.cast_signed())?;
    to.text(message.method.as_str())?;
    to.number(message.hops.into())?;
    to.text(&message.content_type)?;
    if let Some(extra) = message.extra.as_deref() {
        to.text(extra.label.as_deref().unwrap_or_default())?;
        to.text(extra.event.as_deref().unwrap_or_default())?;
        to.text(&extra.options)?;
        match extra.resend_of {
            Some(id) => to.blob(&id.0.to_be_bytes())?,
            None => to.blob(&[])?,
        }
    } else {
        for _ in 0..4 {
            to.put(ValueRef::Null)?;
        }
    }
    to.blob(message.topics.as_bytes())?;
    to.blob(message.extra.as_ref().map_or(&[], |extra| &extra.fields))?;
    to.number(i64::try_from(message.body.len()).unwrap_or(i64::MAX))?;
    to.number(message_crc(message, &message.body).into())?;
    to.put(ValueRef::Blob(&message.body))
}

/// The message in a row of [`MESSAGE`] that begins at column `from`.
pub(super) fn message(row: &Row<'_>, from: usize) -> Result<Message, Damaged> {
    let (mut message, size, crc) = head(row, from)?;
    let body = row.get_ref(from + 14)?.as_blob().map_err(|_| Damaged)?;
    if body.len() as u64 != size || message_crc(&message, body) != crc {
        return Err(Damaged);
    }
    message.body = Frame::copy_of(body);
    Ok(message)
}

fn head(row: &Row<'_>, from: usize) -> Result<(Message, u64, u32), Damaged> {
    let mut row = Read(row, from);
    let (number, tail) = (row.number()?, row.number()?);
    let accepted = Wall(row.unsigned()?);
    let method = Method::parse(row.text()?).ok_or(Damaged)?;
    let hops = row.small()?;
    let content_type = match row.text()? {
        "" => Cow::Borrowed(""),
        text => Cow::Owned(text.to_owned()),
    };
    let given = |text: &str| Some(text).filter(|text| !text.is_empty()).map(Into::into);
    let (label, event) = (given(row.text()?), given(row.text()?));
    let options = row.text()?.into();
    let resend_of = match row.blob()? {
        [] => None,
        bytes => Some(MessageId(u128::from_be_bytes(
            bytes.try_into().map_err(|_| Damaged)?,
        ))),
    };
    let topics = TopicNames::from_bytes(row.blob()?).ok_or(Damaged)?;
    let extra = Extra {
        fields: row.blob()?.into(),
        label,
        event,
        options,
        resend_of,
    };
    let message = Message {
        id: id_of(number, tail),
        accepted,
        content_type,
        body: Frame::copy_of(&[]),
        topics,
        method,
        hops,
        extra: (extra != Extra::default()).then(|| Box::new(extra)),
    };
    Ok((message, row.unsigned()?, row.small()?))
}

/// What of a delivery never changes: the lower half of its `crc`.
fn work_crc(work: &Work) -> u32 {
    let authorization = work.target.authorization.as_deref().unwrap_or_default();
    Crc::default()
        .number(work.id.number())
        .number(work.number.into())
        .number(work.expires.0)
        .number(work.subscription)
        .bytes(work.target.url.as_bytes())
        .given(authorization.as_bytes())
        .0
}

/// Where a delivery stands: the upper half of its `crc`, in its place. Whether it is parked is
/// left out; every start says that anew.
pub(super) fn place_crc(place: &Place, attempts: u32) -> i64 {
    let crc = Crc::default()
        .number(place.lane)
        .number(place.rank)
        .number(place.due.0)
        .number(attempts.into());
    (u64::from(crc.0) << 32).cast_signed()
}

/// Binds a delivery to [`INSERT_WORK`].
pub(super) fn bind_work(to: &mut Statement<'_>, work: &Work) -> rusqlite::Result<()> {
    let mut to = Bind(to, 0);
    let place = &work.place;
    to.number(number_of(work.id))?;
    to.number(work.number.into())?;
    to.number(place.lane.cast_signed())?;
    to.number(place.rank.cast_signed())?;
    to.number(place.due.0.cast_signed())?;
    to.number(if place.parked { PARKED } else { HELD })?;
    to.number(work.attempts.into())?;
    to.number(work.expires.0.cast_signed())?;
    to.number(work.subscription.cast_signed())?;
    to.put(ValueRef::Text(work.target.url.as_bytes()))?;
    to.text(work.target.authorization.as_deref().unwrap_or_default())?;
    to.number(place_crc(place, work.attempts) | i64::from(work_crc(work)))
}

/// The delivery in a row of [`WORK`] that begins at column `from`. The second half of its
/// message's id is not in it.
pub(super) fn work(
    row: &Row<'_>,
    from: usize,
    target: fn(&str, Option<&str>) -> Option<Target>,
) -> Result<Work, Damaged> {
    let mut row = Read(row, from);
    let (message, number) = (row.number()?, row.small()?);
    let mut place = Place {
        lane: row.unsigned()?,
        rank: row.unsigned()?,
        due: Wall(row.unsigned()?),
        parked: false,
    };
    place.parked = row.number()? == PARKED;
    let (attempts, expires) = (row.small()?, Wall(row.unsigned()?));
    let subscription = row.unsigned()?;
    let (url, authorization) = (row.text()?, row.text()?);
    let authorization = Some(authorization).filter(|text| !text.is_empty());
    let work = Work {
        id: id_of(message, 0),
        number,
        target: Arc::new(target(url, authorization).ok_or(Damaged)?),
        place,
        expires,
        attempts,
        subscription,
    };
    let crc = place_crc(&place, attempts) | i64::from(work_crc(&work));
    if row.number()? == crc {
        Ok(work)
    } else {
        Err(Damaged)
    }
}

/// The CRC of a fact that is kept by key.
pub(super) fn fact_crc(key: &[u8], value: &[u8]) -> i64 {
    Crc::default().bytes(key).bytes(value).0.into()
}

#[cfg(test)]
mod tests;
