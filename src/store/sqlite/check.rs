//! A look at everything in a file that no server has open: SQLite's own check of its pages, the
//! CRC of every record, and whether all belongs together. It changes nothing.

use std::fmt::{Display, Write};
use std::path::Path;

use rusqlite::{Connection, Row};

use super::lock;
use super::reader;
use super::record::{self, ATTEMPT, Damaged, MESSAGE, WORK, id_of};
use super::schema::{self, Kind};
use crate::base::exit::Exit;
use crate::model::record::Table;
use crate::store::{Checked, Refusal, Targets, Told};

/// Findings of SQLite about its pages that are told at most.
const FINDINGS_MAX: u32 = 100;

/// Whoever wants to know is told at most once in so many records.
const TOLD_RECORDS: u64 = 1 << 10;

/// What was found.
struct Report<'t> {
    text: String,
    damage: u64,
    told: Told<'t>,
}

impl Report<'_> {
    fn line(&mut self, line: impl Display) {
        // A String takes whatever is written to it.
        let _ = writeln!(self.text, "{line}");
    }

    fn damage(&mut self, line: impl Display) {
        self.damage += 1;
        self.line(format_args!("damaged: {line}"));
    }
}

/// Looks at the file at `path`.
pub(in crate::store) fn check(
    path: &Path,
    targets: Targets,
    told: Told<'_>,
) -> Result<Checked, Refusal> {
    let refuse = |why: &dyn Display| Refusal {
        exit: Exit::Io,
        why: format!("cannot check {}: {why}", path.display()),
    };
    if let Err(why) = path.metadata() {
        return Err(refuse(&why));
    }
    let _lock = lock::look(path)?;
    let db = reader::open(path).map_err(|why| refuse(&why))?;
    let mut report = Report {
        text: String::new(),
        damage: 0,
        told,
    };
    match schema::kind(&db) {
        Ok(Kind::Ours) => everything(&db, targets, &mut report),
        Ok(Kind::Empty) => report.line("empty: nothing was ever kept in it"),
        Ok(Kind::Newer(found)) => {
            let ours = schema::version();
            return Err(refuse(&format_args!(
                "it is of version {found}, of a later Hookah than this one, which knows {ours}"
            )));
        }
        Ok(Kind::Foreign) => {
            return Err(refuse(
                &"it is no store of Hookah, or its first page is damaged",
            ));
        }
        Err(why) => report.damage(format_args!("the file cannot be read: {why}")),
    }
    let name = path.display();
    let is_sound = report.damage == 0;
    if is_sound {
        report.line(format_args!("{name} is sound"));
    } else {
        let damage = report.damage;
        report.line(format_args!(
            "{name} is damaged, {damage} findings above; what is whole can be copied with: \
             sqlite3 {name} .recover | sqlite3 NEW"
        ));
    }
    Ok(Checked {
        text: report.text,
        is_sound,
    })
}

fn everything(db: &Connection, targets: Targets, report: &mut Report<'_>) {
    pages(db, report);
    tables(db, report);
    let text = format!("SELECT {MESSAGE} FROM messages");
    records(db, report, "messages", &text, |row| {
        record::message(row, 0).map(drop).map_err(|Damaged| {
            let id = id_of(row.get(0).unwrap_or(0), row.get(1).unwrap_or(0));
            id.to_string()
        })
    });
    let text = format!("SELECT {WORK} FROM work");
    records(db, report, "work", &text, |row| {
        record::work(row, 0, targets)
            .map(drop)
            .map_err(|Damaged| place(row, 2))
    });
    let text = format!("SELECT {ATTEMPT} FROM attempts");
    records(db, report, "attempts", &text, |row| {
        record::attempt(row, 0)
            .map(drop)
            .map_err(|Damaged| place(row, 3))
    });
    for table in Table::ALL {
        let text = format!("SELECT key, value, crc FROM {}", table.as_str());
        records(db, report, table.as_str(), &text, |row| {
            let key = row.get_ref(0).ok().and_then(|it| it.as_blob().ok());
            let value = row.get_ref(1).ok().and_then(|it| it.as_blob().ok());
            match (key, value, row.get::<_, i64>(2)) {
                (Some(key), Some(value), Ok(crc)) if record::fact_crc(key, value) == crc => Ok(()),
                (key, ..) => Err(key.unwrap_or_default().escape_ascii().to_string()),
            }
        });
    }
    strays(db, report);
    noted(db, report);
}

/// What SQLite itself finds: pages, the order of keys, indices that do not match their tables.
fn pages(db: &Connection, report: &mut Report<'_>) {
    if let Some(told) = &mut report.told {
        told("pages", 0, 0);
    }
    let text = format!("PRAGMA integrity_check({FINDINGS_MAX})");
    let looked = each(db, &text, |row| {
        let found: String = row.get(0)?;
        if found != "ok" {
            report.damage(format_args!("pages: {found}"));
        }
        Ok(())
    });
    if let Err(why) = looked {
        report.damage(format_args!("pages: {why}"));
    }
}

/// The tables and indices are those that we make.
fn tables(db: &Connection, report: &mut Report<'_>) {
    match schema::is_as_made(db) {
        Ok(true) => {}
        Ok(false) => report.damage("the definitions of its tables are not ours"),
        Err(why) => report.damage(format_args!("the definitions of its tables: {why}")),
    }
}

/// Every record of a table; `look` names the ones that are not as they were written.
fn records(
    db: &Connection,
    report: &mut Report<'_>,
    table: &str,
    text: &str,
    look: impl Fn(&Row<'_>) -> Result<(), String>,
) {
    let mut count = 0_u64;
    // Counting is not free, and for nobody it is not done.
    let all = match report.told {
        Some(_) => number_of(db, table),
        None => 0,
    };
    let looked = each(db, text, |row| {
        count += 1;
        if count.is_multiple_of(TOLD_RECORDS)
            && let Some(told) = &mut report.told
        {
            told(table, count, all);
        }
        if let Err(key) = look(row) {
            report.damage(format_args!("record of {table}: {key}"));
        }
        Ok(())
    });
    if let Err(why) = looked {
        report.damage(format_args!(
            "{table} cannot be read beyond its first {count} records: {why}"
        ));
    }
    report.line(format_args!("{table}: {count} records"));
}

/// How many records a table has; 0 if that cannot be told.
fn number_of(db: &Connection, table: &str) -> u64 {
    let text = format!("SELECT count(*) FROM {table}");
    let number: i64 = db.query_row(&text, [], |row| row.get(0)).unwrap_or(0);
    number.unsigned_abs()
}

/// The first columns of a row, which are its key.
fn place(row: &Row<'_>, columns: usize) -> String {
    let number = row.get::<_, i64>(0).map(|number| id_of(number, 0));
    let mut text = number.map_or_else(
        |_| "?".to_owned(),
        |id| format!("{}…", &id.to_string()[..17]),
    );
    for column in 1..columns {
        let part = row.get::<_, i64>(column);
        let _ = match part {
            Ok(part) => write!(text, "/{part}"),
            Err(_) => write!(text, "/?"),
        };
    }
    text
}

/// Records whose message is not there, and deliveries that are open and have ended.
fn strays(db: &Connection, report: &mut Report<'_>) {
    let columns = "printf('%016x/%d', number, delivery)";
    for (what, text) in [
        (
            "work without its message",
            format!(
                "SELECT {columns} FROM work WHERE NOT EXISTS
                     (SELECT 1 FROM messages WHERE messages.number = work.number)"
            ),
        ),
        (
            "attempt without its message",
            format!(
                "SELECT {columns} FROM attempts WHERE NOT EXISTS
                     (SELECT 1 FROM messages WHERE messages.number = attempts.number)"
            ),
        ),
        (
            "delivery that has ended and is open",
            format!(
                "SELECT {columns} FROM work WHERE EXISTS
                     (SELECT 1 FROM attempts WHERE attempts.number = work.number
                      AND attempts.delivery = work.delivery AND outcome IS NOT NULL)"
            ),
        ),
    ] {
        let looked = each(db, &text, |row| {
            report.damage(format_args!("{what}: {}", row.get::<_, String>(0)?));
            Ok(())
        });
        if let Err(why) = looked {
            report.damage(format_args!("{what}: {why}"));
        }
    }
}

/// What servers have noticed and put aside.
fn noted(db: &Connection, report: &mut Report<'_>) {
    let text =
        "SELECT what, key, datetime(found / 1000000, 'unixepoch') FROM damaged ORDER BY found";
    let looked = each(db, text, |row| {
        let (what, key): (String, String) = (row.get(0)?, row.get(1)?);
        let found: Option<String> = row.get(2)?;
        let found = found.unwrap_or_default();
        report.damage(format_args!("put aside at {found}: {what} {key}"));
        Ok(())
    });
    if let Err(why) = looked {
        report.damage(format_args!("the list of what was put aside: {why}"));
    }
}

fn each(
    db: &Connection,
    text: &str,
    mut look: impl FnMut(&Row<'_>) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let mut statement = db.prepare(text)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        look(row)?;
    }
    Ok(())
}
