//! Searches, the newest message first: which messages come into question, and which of them are
//! wanted. Each looks for a bounded time and says where to go on.

use memchr::memmem;
use rusqlite::types::ValueRef;
use rusqlite::{OptionalExtension, Row};

use super::View;
use crate::base::time::Wall;
use crate::model::record::{Found, Search, Status, Story};
use crate::model::{Outcome, TopicNames};
use crate::store::sqlite::record::id_of;

/// Messages of one answer at most, whatever was asked for.
const LIMIT_MAX: usize = 1_000;

/// Numbers of messages: from the first up to, and not including, the second.
type Range = (i64, i64);

/// Where the messages that come into question stand, the newest first.
enum Source {
    /// All of them.
    Messages,
    /// Those with deliveries that have not ended.
    Work(Status),
    /// Those with deliveries that ended badly.
    Troubled(Outcome),
    /// Those that go or went to a URL.
    Urls,
    /// None: of what is under way the file knows nothing.
    Nothing,
}

impl Source {
    fn of(search: &Search) -> Source {
        match search.status {
            Some(Status::Active) => Source::Nothing,
            Some(Status::Ended(outcome)) if outcome != Outcome::Delivered => {
                Source::Troubled(outcome)
            }
            Some(status @ (Status::Scheduled | Status::Queued | Status::Retrying)) => {
                Source::Work(status)
            }
            Some(Status::Ended(_)) | None if search.url.is_some() => Source::Urls,
            Some(Status::Ended(_)) | None => Source::Messages,
        }
    }
}

/// What has been found, and where the look at the file stands.
struct Page<'v, 'c> {
    view: &'v View<'c>,
    search: &'v Search,
    limit: usize,
    stories: Vec<Story>,
    /// The last message that was looked at, wanted or not.
    last: Option<i64>,
    /// There may be more.
    more: bool,
}

impl View<'_> {
    /// The answer to a search.
    pub(super) fn search(&self, search: &Search) -> rusqlite::Result<Found> {
        let mut page = Page {
            view: self,
            search,
            limit: search.limit.clamp(1, LIMIT_MAX),
            stories: Vec::new(),
            last: None,
            more: false,
        };
        let range = self.range(search)?;
        match Source::of(search) {
            Source::Nothing => {}
            Source::Messages => page.messages(range)?,
            Source::Work(status) => page.work(range, status)?,
            Source::Troubled(outcome) => page.troubled(range, outcome)?,
            Source::Urls => page.urls(range)?,
        }
        let next = page.last.filter(|_| page.more);
        Ok(Found::Search {
            stories: page.stories,
            next: next.map(|number| id_of(number, 0)),
        })
    }

    /// The numbers that come into question. A number is at least the time of acceptance, and more
    /// only after the clock went back, by what the writer has put down.
    fn range(&self, search: &Search) -> rusqlite::Result<Range> {
        let number = |millis: u64| {
            let number = u128::from(millis) << 16;
            i64::try_from(number).unwrap_or(i64::MAX)
        };
        let first = search.since.map_or(0, |since| number(since.millis()));
        let before = search.before.map_or(i64::MAX, |before| {
            i64::try_from(before.number()).unwrap_or(i64::MAX)
        });
        let mut end = i64::MAX;
        if let Some(until) = search.until {
            let mut ahead = self
                .db
                .prepare_cached("SELECT value FROM meta WHERE key = 'ahead'")?;
            let ahead: Option<i64> = ahead.query_row([], |row| row.get(0)).optional()?;
            let ahead = ahead.unwrap_or(0).cast_unsigned();
            end = number(until.millis().saturating_add(ahead).saturating_add(1));
        }
        Ok((first, before.min(end)))
    }
}

impl Page<'_, '_> {
    /// Whether there is time and room for a row more. The first message of a page is looked at in
    /// any case, so that every answer leads on.
    fn goes_on(&mut self) -> bool {
        let is_full = self.stories.len() >= self.limit;
        self.more = self.last.is_some() && (is_full || self.view.is_over());
        !self.more
    }

    fn messages(&mut self, range: Range) -> rusqlite::Result<()> {
        let mut rows = self.view.db.prepare_cached(
            "SELECT number, accepted, label, topics FROM messages \
             WHERE number >= ? AND number < ? ORDER BY number DESC",
        )?;
        let mut rows = rows.query(range)?;
        while let Some(row) = rows.next()? {
            if !self.goes_on() {
                break;
            }
            let number = row.get(0)?;
            self.last = Some(number);
            if is_wanted(self.search, row)? {
                let status = self.search.status.is_some();
                self.found(number, status, false)?;
            }
        }
        Ok(())
    }

    fn work(&mut self, range: Range, wanted: Status) -> rusqlite::Result<()> {
        let mut rows = self.view.db.prepare_cached(
            "SELECT number, due, attempts FROM work \
             WHERE number >= ? AND number < ? ORDER BY number DESC",
        )?;
        let mut rows = rows.query(range)?;
        let mut found = None;
        while let Some(row) = rows.next()? {
            let number: i64 = row.get(0)?;
            if self.is_new(number, &mut found) {
                if !self.goes_on() {
                    break;
                }
                self.last = Some(number);
            }
            let status = self.view.open_status(row.get(1)?, row.get(2)?);
            if found.is_none() && status == wanted {
                found = Some(number);
                self.consider(number, false, true)?;
            }
        }
        Ok(())
    }

    fn troubled(&mut self, range: Range, wanted: Outcome) -> rusqlite::Result<()> {
        let mut rows = self.view.db.prepare_cached(
            "SELECT number, outcome FROM attempts INDEXED BY troubled \
             WHERE outcome IN ('failed', 'expired', 'canceled') \
             AND number >= ? AND number < ? ORDER BY number DESC",
        )?;
        let mut rows = rows.query(range)?;
        let mut found = None;
        while let Some(row) = rows.next()? {
            let number: i64 = row.get(0)?;
            if self.is_new(number, &mut found) {
                if !self.goes_on() {
                    break;
                }
                self.last = Some(number);
            }
            if found.is_none() && row.get_ref(1)?.as_str() == Ok(wanted.as_str()) {
                found = Some(number);
                self.consider(number, false, true)?;
            }
        }
        Ok(())
    }

    /// Both tables that know URLs, side by side.
    fn urls(&mut self, range: Range) -> rusqlite::Result<()> {
        let mut ended = self.view.db.prepare_cached(
            "SELECT number, url FROM attempts \
             WHERE number >= ? AND number < ? ORDER BY number DESC",
        )?;
        let mut open = self.view.db.prepare_cached(
            "SELECT number, url FROM work WHERE number >= ? AND number < ? ORDER BY number DESC",
        )?;
        let (mut ended, mut open) = (ended.query(range)?, open.query(range)?);
        let url = self.search.url.as_deref().unwrap_or_default();
        let mut found = None;
        let look = |row: Option<&Row<'_>>| match row {
            None => Ok::<_, rusqlite::Error>(None),
            Some(row) => {
                let is_it = row.get_ref(1)? == ValueRef::Text(url.as_bytes());
                Ok(Some((row.get::<_, i64>(0)?, is_it)))
            }
        };
        let mut heads = (look(ended.next()?)?, look(open.next()?)?);
        while let Some((number, is_it)) = heads.0.max(heads.1) {
            if self.is_new(number, &mut found) {
                if !self.goes_on() {
                    break;
                }
                self.last = Some(number);
            }
            if found.is_none() && is_it {
                found = Some(number);
                self.consider(number, true, false)?;
            }
            if heads.0 >= heads.1 {
                heads.0 = look(ended.next()?)?;
            } else {
                heads.1 = look(open.next()?)?;
            }
        }
        Ok(())
    }

    /// Whether the rows have come to another message; then nothing of it was found yet.
    fn is_new(&self, number: i64, found: &mut Option<i64>) -> bool {
        let is_new = self.last != Some(number);
        if is_new {
            *found = None;
        }
        is_new
    }

    /// A message that its deliveries speak for, as far as they were asked.
    fn consider(&mut self, number: i64, status: bool, url: bool) -> rusqlite::Result<()> {
        let mut message = self.view.db.prepare_cached(
            "SELECT number, accepted, label, topics FROM messages WHERE number = ?",
        )?;
        let is_wanted = message.query_row([number], |row| is_wanted(self.search, row));
        if is_wanted.optional()? == Some(true) {
            self.found(number, status, url)?;
        }
        Ok(())
    }

    /// A message that is wanted, if what is not known of its deliveries yet, status or URL, is
    /// right too.
    fn found(&mut self, number: i64, status: bool, url: bool) -> rusqlite::Result<()> {
        if let Some(wanted) = self.search.status.filter(|_| status)
            && !self.view.stands(number, wanted)?
        {
            return Ok(());
        }
        if let Some(wanted) = self.search.url.as_deref().filter(|_| url)
            && !self.view.goes_to(number, wanted)?
        {
            return Ok(());
        }
        self.stories.extend(self.view.brief(number)?);
        Ok(())
    }
}

/// Whether a message is wanted for what it is itself: a row of number, time, label and topics.
fn is_wanted(search: &Search, row: &Row<'_>) -> rusqlite::Result<bool> {
    let accepted = Wall(row.get::<_, i64>(1)?.cast_unsigned());
    if search.since.is_some_and(|since| accepted < since)
        || search.until.is_some_and(|until| accepted >= until)
    {
        return Ok(false);
    }
    if let Some(label) = &search.label
        && row.get_ref(2)? != ValueRef::Text(label.as_bytes())
    {
        return Ok(false);
    }
    let Some(wanted) = &search.topic else {
        return Ok(true);
    };
    let topics = row.get_ref(3)?.as_blob_or_null().ok().flatten();
    // Most have not even its letters.
    let topics = topics.filter(|it| memmem::find(it, wanted).is_some());
    let topics = topics.and_then(TopicNames::from_bytes);
    Ok(topics.is_some_and(|topics| topics.iter().any(|topic| topic == &**wanted)))
}
