//! The tables, their versions, and how a file of an older version becomes one of ours.
//! It reads and writes no row of them.

use std::fmt::Write;

use rusqlite::{Connection, TransactionBehavior};

/// "Hook", in the file's header: the file is ours.
pub(super) const APPLICATION_ID: i32 = 0x486f_6f6b;

/// The index of what is in the store alone.
pub(super) const PARKED: &str =
    "CREATE INDEX parked ON work (lane, rank, number, delivery, due) WHERE parked = 1;";

/// Bytes of a file that is looked at as a whole at every start.
const CHECKED_BYTES_MAX: i64 = 64 << 20;
/// Rows of work that are looked at together with their index.
const CHECKED_WORK_MAX: i64 = 250_000;

/// What leads from each version to the next, the empty file being version 0.
const STEPS: [fn() -> String; 1] = [version_1];

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing is in it yet.
    Empty,
    /// Ours, of a version that we can read, or bring to ours.
    Ours,
    /// Ours, but of this later version.
    Newer(i32),
    /// Somebody else's.
    Foreign,
}

/// The version that we write.
pub(super) fn version() -> i32 {
    i32::try_from(STEPS.len()).unwrap_or(i32::MAX)
}

/// Looks at the header. An error means that it is no database, or cannot be read.
pub(super) fn kind(db: &Connection) -> rusqlite::Result<Kind> {
    let application: i32 = db.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let found: i32 = db.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if application == APPLICATION_ID {
        return Ok(if found > version() {
            Kind::Newer(found)
        } else {
            Kind::Ours
        });
    }
    let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let is_empty = application == 0 && found == 0 && tables == 0;
    Ok(if is_empty { Kind::Empty } else { Kind::Foreign })
}

/// Brings a file that is empty or ours to our version, in one transaction.
pub(super) fn bring_up(db: &mut Connection) -> rusqlite::Result<()> {
    let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: i32 = change.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if found < version() {
        let done = usize::try_from(found).unwrap_or(0);
        for step in &STEPS[done..] {
            change.execute_batch(&step())?;
        }
        change.pragma_update(None, "application_id", APPLICATION_ID)?;
        change.pragma_update(None, "user_version", version())?;
    }
    change.commit()
}

/// Whether every table, index and view of ours is there as we make it. What somebody added is left
/// to them.
pub(super) fn is_as_made(db: &Connection) -> rusqlite::Result<bool> {
    let mut model = Connection::open_in_memory()?;
    bring_up(&mut model)?;
    let text = "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE sql IS NOT NULL";
    let mut ours = model.prepare(text)?;
    let mut ours = ours.query([])?;
    let mut same = db.prepare(&format!(
        "{text} AND type = ? AND name = ? AND tbl_name = ? AND sql = ?"
    ))?;
    while let Some(row) = ours.next()? {
        let column = |number| row.get::<_, String>(number);
        if !same.exists([column(0)?, column(1)?, column(2)?, column(3)?])? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Looks at the pages as far as a start can wait for it, the work in any case: a record that is
/// damaged is noticed when it is read, but one that nothing leads to any more is not. What SQLite
/// found, or nothing.
pub(super) fn damage(db: &Connection) -> rusqlite::Result<Option<String>> {
    if !is_as_made(db)? {
        return Ok(Some("the definitions of its tables are not ours".into()));
    }
    let number = |text: &str| db.query_row(text, [], |row| row.get::<_, i64>(0));
    let bytes = number("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")?;
    let check = if bytes <= CHECKED_BYTES_MAX {
        "PRAGMA integrity_check(1)"
    } else if number("SELECT count(*) FROM work")? <= CHECKED_WORK_MAX {
        "PRAGMA integrity_check('work')"
    } else {
        "PRAGMA quick_check('work')"
    };
    let said: String = db.query_row(check, [], |row| row.get(0))?;
    Ok(Some(said).filter(|said| said != "ok"))
}

/// Times are microseconds since 1970. A message's `number` and `tail` are the two halves of its
/// id. Deliveries that have not ended stand in `work`: `parked` is 1 for what is in the store
/// alone, 0 for what the server has in memory, 2 for what is damaged. An attempt's `outcome` is
/// null if another followed; an end without an attempt is an attempt of the number 2^31 - 1.
fn version_1() -> String {
    let mut text = String::from(
        "CREATE TABLE messages (number INTEGER PRIMARY KEY, tail INTEGER NOT NULL,
            accepted INTEGER NOT NULL, method TEXT NOT NULL, hops INTEGER NOT NULL,
            content_type TEXT, label TEXT, event TEXT, options TEXT, resend_of BLOB, topics BLOB,
            fields BLOB, size INTEGER NOT NULL, crc INTEGER NOT NULL, body BLOB NOT NULL);
        CREATE TABLE work (number INTEGER NOT NULL, delivery INTEGER NOT NULL,
            lane INTEGER NOT NULL, rank INTEGER NOT NULL, due INTEGER NOT NULL,
            parked INTEGER NOT NULL, attempts INTEGER NOT NULL, expires INTEGER NOT NULL,
            subscription INTEGER NOT NULL, url TEXT NOT NULL, authorization TEXT,
            crc INTEGER NOT NULL, PRIMARY KEY (number, delivery)) WITHOUT ROWID;
        CREATE TABLE attempts (number INTEGER NOT NULL, delivery INTEGER NOT NULL,
            attempt INTEGER NOT NULL, at INTEGER, took INTEGER, status INTEGER, error TEXT,
            detail TEXT, outcome TEXT, why TEXT, ended_at INTEGER, url TEXT, subscription INTEGER,
            truncated INTEGER NOT NULL, crc INTEGER NOT NULL, headers BLOB, body BLOB,
            PRIMARY KEY (number, delivery, attempt)) WITHOUT ROWID;
        CREATE INDEX troubled ON attempts (number)
            WHERE outcome IN ('failed', 'expired', 'canceled');
        CREATE TABLE subscriptions (key BLOB PRIMARY KEY, value BLOB NOT NULL,
            crc INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE topics (key BLOB PRIMARY KEY, value BLOB NOT NULL,
            crc INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE keys (key BLOB PRIMARY KEY, value BLOB NOT NULL,
            crc INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
        CREATE TABLE damaged (what TEXT NOT NULL, key TEXT NOT NULL, found INTEGER NOT NULL,
            PRIMARY KEY (what, key)) WITHOUT ROWID;
        CREATE VIEW history AS SELECT ",
    );
    id_text(&mut text);
    text.push_str(
        " AS id, datetime(m.accepted / 1000000, 'unixepoch') AS accepted, m.method AS method,
            m.label AS label, m.size AS size, a.delivery AS delivery, a.url AS url,
            a.outcome AS outcome, datetime(a.ended_at / 1000000, 'unixepoch') AS ended,
            a.status AS status, a.error AS error,
            coalesce(a.why, a.detail) AS detail
        FROM messages m LEFT JOIN attempts a ON a.number = m.number AND a.outcome IS NOT NULL;",
    );
    text.push_str(PARKED);
    text
}

/// The text form of a message's id as an expression: `msg_` and its 128 bits in base 32, five at a
/// time from the top, the two topmost of the 130 being zero.
fn id_text(out: &mut String) {
    out.push_str("'msg_'");
    for place in 0..26 {
        let shift = 5 * (25 - place);
        let digit = match shift {
            125 => "((m.number >> 61) & 7)".to_owned(),
            60 => "(((m.number & 1) << 4) | ((m.tail >> 60) & 15))".to_owned(),
            64.. => format!("((m.number >> {}) & 31)", shift - 64),
            _ => format!("((m.tail >> {shift}) & 31)"),
        };
        // A String takes whatever is written to it.
        let _ = write!(
            out,
            "||substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ',1+{digit},1)"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::MessageId;

    fn fresh() -> Connection {
        let mut db = Connection::open_in_memory().unwrap();
        assert_eq!(kind(&db), Ok(Kind::Empty));
        bring_up(&mut db).unwrap();
        db
    }

    #[test]
    fn a_fresh_file_is_ours_and_stays_so() {
        let mut db = fresh();
        assert_eq!(kind(&db), Ok(Kind::Ours));
        bring_up(&mut db).unwrap();
        assert_eq!(kind(&db), Ok(Kind::Ours));
    }

    #[test]
    fn what_is_not_ours_or_newer_is_told_apart() {
        let db = fresh();
        db.pragma_update(None, "user_version", version() + 1)
            .unwrap();
        assert_eq!(kind(&db), Ok(Kind::Newer(version() + 1)));
        db.pragma_update(None, "application_id", 7).unwrap();
        assert_eq!(kind(&db), Ok(Kind::Foreign));
        let other = Connection::open_in_memory().unwrap();
        other.execute_batch("CREATE TABLE t (x)").unwrap();
        assert_eq!(kind(&other), Ok(Kind::Foreign));
    }

    #[test]
    fn the_history_shows_ids_as_the_api_does() {
        let db = fresh();
        let ids = [
            0,
            1,
            u128::MAX,
            1 << 63,
            1 << 64,
            0x0123_4567_89ab_cdef_fedc_ba98_7654_3210,
        ];
        for id in ids.map(MessageId) {
            let halves = [id.number().cast_signed(), (id.0 as u64).cast_signed()];
            db.execute("DELETE FROM messages", []).unwrap();
            db.execute(
                "INSERT INTO messages VALUES (?, ?, 0, 'POST', 0, NULL, NULL, NULL, NULL, NULL,
                 NULL, NULL, 0, 0, x'')",
                halves,
            )
            .unwrap();
            let shown: String = db
                .query_row("SELECT id FROM history", [], |row| row.get(0))
                .unwrap();
            assert_eq!(shown, id.to_string());
        }
    }
}
