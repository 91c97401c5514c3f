//! What the query of a request to /messages asks for. A parameter that is not known is refused: to
//! resend everything because of a slip would be worse.

use std::time::Duration;

use crate::admin::page::{LIMIT_DEFAULT, LIMIT_MAX, number};
use crate::base::units::{INSTANT_FORM, parse_duration, parse_instant};
use crate::http::problem::{Problem, Reason};
use crate::http::{form, target};
use crate::model::MessageId;
use crate::model::record::{Search, Status};

/// The longest that an answer waits.
const WAIT_MAX: Duration = Duration::from_secs(60);
/// The shortest.
const WAIT_MIN: Duration = Duration::from_secs(1);
const STATUS_FORM: &str =
    "scheduled, queued, active, retrying, delivered, failed, expired, canceled";
const NAMES: &str = "status, topic, url, label, since, until, limit, cursor";

/// What a search is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The messages, `before` where the page begins.
    pub search: Search,
    /// Whether it leaves any out but by the page.
    pub selects: bool,
    /// Whether it says how many at most.
    pub limited: bool,
}

/// Reads the parameters of a search.
///
/// # Errors
/// A parameter is not known, stands twice or has a value it cannot have.
pub fn search(query: &str) -> Result<Asked, Problem> {
    let mut search = Search {
        limit: LIMIT_DEFAULT,
        ..Search::default()
    };
    let mut seen = Vec::new();
    let fields = form::fields(query.as_bytes());
    for field in fields.filter(|field| !field.is_empty()) {
        let (name, value) = (form::decode(field.name), form::decode(field.value));
        let shown = String::from_utf8_lossy(&name).into_owned();
        if seen.contains(&name) {
            return Err(refuse(&shown, &value, "is given twice", "once"));
        }
        parameter(&mut search, &shown, &value)?;
        seen.push(name);
    }
    let page: [&[u8]; 2] = [b"limit", b"cursor"];
    let selects = seen.iter().any(|name| !page.contains(&&**name));
    let limited = seen.iter().any(|name| **name == *b"limit");
    Ok(Asked {
        search,
        selects,
        limited,
    })
}

fn parameter(search: &mut Search, name: &str, value: &[u8]) -> Result<(), Problem> {
    let text = || {
        let text = std::str::from_utf8(value).ok();
        text.ok_or_else(|| refuse(name, value, "is not UTF-8", "text in UTF-8"))
    };
    let instant = || {
        let at = parse_instant(text()?);
        at.map_err(|wrong| refuse(name, value, wrong.complaint, INSTANT_FORM))
    };
    match name {
        "status" => {
            let status = Status::parse(text()?);
            let status =
                status.ok_or_else(|| refuse(name, value, "is not a status", STATUS_FORM))?;
            search.status = Some(status);
        }
        "topic" => search.topic = Some(value.into()),
        // Nobody's credentials are repeated: the parser hides them.
        "url" => search.url = Some(target::parse(text()?)?.url),
        "label" => search.label = Some(text()?.into()),
        "since" => search.since = Some(instant()?),
        "until" => search.until = Some(instant()?),
        "limit" => search.limit = number(name, value, 1, LIMIT_MAX)?,
        "cursor" => {
            let id = MessageId::parse(text()?);
            let allowed = "next_cursor of the page before";
            search.before = Some(id.ok_or_else(|| refuse(name, value, "is no id", allowed))?);
        }
        _ => return Err(refuse("parameter", name.as_bytes(), "is not known", NAMES)),
    }
    Ok(())
}

/// Reads the parameters of a look at one message: how long it waits for it to end.
///
/// # Errors
/// As [`search`].
pub fn wait(query: &str) -> Result<Option<Duration>, Problem> {
    const FORM: &str = "1s to 60s";
    let mut wait = None;
    let fields = form::fields(query.as_bytes());
    for field in fields.filter(|field| !field.is_empty()) {
        let (name, value) = (form::decode(field.name), form::decode(field.value));
        if &*name != b"wait" {
            return Err(refuse("parameter", &name, "is not known", "wait"));
        }
        if wait.is_some() {
            return Err(refuse("wait", &value, "is given twice", "once"));
        }
        let span = parse_duration(&String::from_utf8_lossy(&value))
            .map_err(|wrong| refuse("wait", &value, wrong.complaint, FORM))?;
        if !(WAIT_MIN..=WAIT_MAX).contains(&span) {
            return Err(refuse("wait", &value, "is out of bounds", FORM));
        }
        wait = Some(span);
    }
    Ok(wait)
}

fn refuse(name: &str, value: &[u8], complaint: &str, allowed: &str) -> Problem {
    Problem::of_value(Reason::BadParameter, name, value, complaint, allowed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Wall;
    use crate::model::Outcome;

    #[test]
    fn a_search_reads_all_its_parameters() {
        let query = "status=failed&topic=a%20b&url=http%3A%2F%2Fu%3Ap%40h%3A80%2Fx&label=mine\
                     &since=1970-01-01T00:00:01Z&until=2&limit=7\
                     &cursor=msg_00000000000000000000000001";
        let asked = search(query).unwrap();
        let wanted = Search {
            status: Some(Status::Ended(Outcome::Failed)),
            topic: Some((*b"a b").into()),
            url: Some("http://h/x".into()),
            label: Some("mine".into()),
            since: Some(Wall(1_000_000)),
            until: Some(Wall(2_000_000)),
            before: Some(MessageId(1)),
            limit: 7,
        };
        assert_eq!((asked.search, asked.selects), (wanted, true));
        let all = search("limit=1000").unwrap();
        assert_eq!((all.search.limit, all.selects), (1_000, false));
        assert_eq!(search("").unwrap().search.limit, 100);
    }

    #[test]
    fn what_it_cannot_be_is_refused_by_name_value_and_what_is_allowed() {
        let wrong = |problem: Problem| problem.detail.into_owned();
        for (query, begins, ends) in [
            (
                "status=done",
                "status: \"done\" is not a status",
                STATUS_FORM,
            ),
            (
                "statuss=failed",
                "parameter: \"statuss\" is not known",
                NAMES,
            ),
            ("label=a&label=b", "label: \"b\" is given twice", "once"),
            ("label=%ff", "label: ", "text in UTF-8"),
            ("since=soon", "since: \"soon\" is not a time", INSTANT_FORM),
            ("limit=0", "limit: \"0\"", "1 to 1000"),
            ("limit=1001", "limit: \"1001\"", "1 to 1000"),
            (
                "cursor=7",
                "cursor: \"7\" is no id",
                "next_cursor of the page before",
            ),
        ] {
            let text = wrong(search(query).unwrap_err());
            assert!(
                text.starts_with(begins) && text.ends_with(ends),
                "{query}: {text}"
            );
        }
        let secret = wrong(search("url=ftp%3A%2F%2Fu%3Ahush%40h%2F").unwrap_err());
        assert!(!secret.contains("hush"), "{secret}");
        assert_eq!(wait("").unwrap(), None);
        assert_eq!(wait("wait=60s").unwrap(), Some(WAIT_MAX));
        assert_eq!(wait("wait=1").unwrap(), Some(WAIT_MIN));
        for query in [
            "wait=61s",
            "wait=0",
            "wait=999ms",
            "wait=x",
            "wait=1&wait=2",
            "for=1",
        ] {
            let text = wrong(wait(query).unwrap_err());
            assert!(text.contains("; allowed: "), "{query}: {text}");
        }
    }
}
