//! What a store tells, as lines of text, so that a comparison shows what differs.
//! Everything that it tells is in them, bytes escaped.

use std::fmt::Write;

use hookah::model::Message;
use hookah::model::record::{Attempt, Restored, Story, Taken, Told, Work};

/// A message with its body.
pub fn message(message: &Message) -> String {
    let topics: Vec<String> = message
        .topics
        .iter()
        .map(|name| name.escape_ascii().to_string())
        .collect();
    let extra = message.extra.as_ref().map_or(String::new(), |extra| {
        format!(
            " fields={} label={:?} event={:?} options={:?} resend_of={:?}",
            extra.fields.escape_ascii(),
            extra.label,
            extra.event,
            extra.options,
            extra.resend_of
        )
    });
    format!(
        "{} at={} {} hops={} type={:?} topics={topics:?}{extra} body={}",
        message.id,
        message.accepted.0,
        message.method.as_str(),
        message.hops,
        message.content_type,
        message.body.escape_ascii()
    )
}

/// A story, a line for the message, each delivery and each attempt.
pub fn story(story: &Story) -> String {
    let mut out = message(&story.message);
    let more = if story.more { " and more" } else { "" };
    let _ = writeln!(out, " of {} bytes{more}", story.body_bytes);
    for told in &story.deliveries {
        delivery(&mut out, told);
    }
    out
}

/// Many of them.
pub fn stories<'s>(stories: impl IntoIterator<Item = &'s Story>) -> String {
    stories.into_iter().map(story).collect()
}

fn delivery(out: &mut String, told: &Told) {
    let _ = writeln!(
        out,
        "  {} {} {} detail={:?} next={:?} subscription={}",
        told.number,
        told.target.url,
        told.status.as_str(),
        told.detail,
        told.next,
        told.subscription
    );
    for attempt in &told.attempts {
        let _ = writeln!(out, "    {}", self::attempt(attempt));
    }
}

fn attempt(attempt: &Attempt) -> String {
    let answer = attempt.answer.as_ref().map_or(String::new(), |answer| {
        format!(
            " head={} body={} truncated={}",
            answer.head.escape_ascii(),
            answer.body.escape_ascii(),
            answer.truncated
        )
    });
    format!(
        "{} at={} took={} {} {:?} {:?}{answer}",
        attempt.attempt, attempt.at.0, attempt.took, attempt.status, attempt.error, attempt.detail
    )
}

/// Work, but for whether it is parked.
pub fn work(work: &Work) -> String {
    let target = &work.target;
    format!(
        "{}/{} {:?} addrs={:?} name={:?} tls={:?} host={} path={} auth={:?} of {} lane={} rank={} \
         due={} expires={} attempts={} subscription={}",
        work.id,
        work.number,
        target.url,
        target.addrs,
        target.name,
        target.server_name,
        target.authority,
        target.path,
        target.authorization,
        target.origin,
        work.place.lane,
        work.place.rank,
        work.place.due.0,
        work.expires.0,
        work.attempts,
        work.subscription
    )
}

/// What was taken, each with its message.
pub fn taken(rows: &[Taken]) -> String {
    let line = |row: &Taken| format!("{}\n  {}\n", work(&row.work), message(&row.message));
    rows.iter().map(line).collect()
}

/// What a new engine is told, a line each; but not up to where the backlog may have gaps, of which
/// a store may know more or less.
pub fn restored(restored: &[Restored]) -> Vec<String> {
    let line = |it: &Restored| match it {
        Restored::Missing(_) => None,
        Restored::Last(id) => Some(format!("last {id}")),
        Restored::Kept { table, key, value } => Some(format!(
            "{} {}={}",
            table.as_str(),
            key.escape_ascii(),
            value.escape_ascii()
        )),
        Restored::Published(it) => Some(format!("published {}", message(it))),
        Restored::Lane(it) => Some(format!(
            "lane {} due={} count={}",
            it.lane, it.due.0, it.count
        )),
    };
    restored.iter().filter_map(line).collect()
}
