//! Reads what publishes: pings, and content that comes along.
//! It fetches nothing, and asks nobody for the right to publish.

use std::borrow::Cow;

use super::values::Values;
use super::{Asked, Content, Half, Request, missing, wrong};
use crate::http::field;
use crate::http::media;
use crate::http::problem::{Problem, Reason};
use crate::http::{form, multipart};
use crate::hub::name::TopicName;

/// What content is that came without a type (hub.md C18).
const UNKNOWN_TYPE: &str = "application/octet-stream";
/// Topics of one ping at most: each may be a fetch, and a body holds tens of thousands.
const PINGED_MAX: usize = 1_000;
/// Bytes of a media type at most.
const TYPE_BYTES_MAX: usize = 256;

/// A form with `hub.mode=publish`.
pub(super) fn form(values: Values<'_>) -> Result<Asked<'_>, Problem> {
    let topics = topics(&values)?;
    let Some(body) = values.content.take("hub.content")? else {
        return ping(topics).map(Asked::Ping);
    };
    let content_type = match values.content_type.take("hub.content_type")? {
        None => Cow::Borrowed(UNKNOWN_TYPE),
        Some(value) => match media_type(&value) {
            Some(text) => Cow::Owned(text.to_owned()),
            None => return Err(wrong("hub.content_type", &value, "a media type")),
        },
    };
    content(topics, content_type, body)
}

/// A body that is the content itself: its topic stands in the query (hub.md C28).
pub(super) fn raw<'a>(request: &Request<'a>, half: Half) -> Result<Asked<'a>, Problem> {
    let given = request.content_type.unwrap_or_default();
    let query = Values::read(request.query.unwrap_or_default().as_bytes());
    let publishes = match query.mode.one("hub.mode")? {
        None => half == Half::Publish,
        Some(mode) => mode == b"publish" && half != Half::Subscribe,
    };
    let Some(media_type) = media_type(given).filter(|it| publishes && !is_multipart(it)) else {
        return Err(unsupported(given));
    };
    if query.urls.is_empty() {
        return Err(unsupported(given));
    }
    content(
        topics(&query)?,
        Cow::Borrowed(media_type),
        Cow::Borrowed(request.body),
    )
}

fn unsupported(given: &[u8]) -> Problem {
    let shown = String::from_utf8_lossy(given.get(..80).unwrap_or(given));
    let wanted = form::MEDIA_TYPE;
    Problem::new(
        Reason::UnsupportedMediaType,
        format!(
            "content type {shown:?}; allowed: {wanted}, or any type but a form's with \
             ?hub.mode=publish&hub.topic=TOPIC in the URL"
        ),
    )
}

fn is_multipart(media_type: &str) -> bool {
    media::is(media_type, multipart::MEDIA_TYPE)
}

/// The text, if it can stand in a field and is a type and a subtype with whatever behind them.
fn media_type(value: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(value).ok()?;
    // No other white space than this may stand around a field's value (RFC 9110 section 5.5).
    let text = text.trim_matches([' ', '\t']);
    let (kind, subtype) = media::essence(text).split_once('/')?;
    let token = |word: &str| !word.is_empty() && word.bytes().all(field::is_token);
    let fits = text.len() <= TYPE_BYTES_MAX && text.bytes().all(field::is_value);
    (fits && token(kind) && token(subtype)).then_some(text)
}

/// The topics in their order, each of them once. One that is wrong is an error for all
/// (hub.md C24).
fn topics(values: &Values<'_>) -> Result<Vec<TopicName>, Problem> {
    let given = values.urls.iter();
    let topics: Result<Vec<_>, _> = given
        .map(|(name, text)| TopicName::parse(name, text))
        .collect();
    let topics = topics?;
    let mut order: Vec<usize> = (0..topics.len()).collect();
    let key = |place: &usize| topics.get(*place).map(TopicName::key);
    // The sort is stable, so that the first of its key stays.
    order.sort_by(|one, other| key(one).cmp(&key(other)));
    order.dedup_by(|one, other| key(one) == key(other));
    if order.len() > PINGED_MAX {
        let count = order.len();
        let detail = format!("{count} topics at once; allowed: up to {PINGED_MAX}");
        return Err(Problem::new(Reason::TooManyTopics, detail));
    }
    order.sort_unstable();
    let mut kept = order.into_iter().peekable();
    let numbered = topics.into_iter().enumerate();
    let once = numbered.filter(|(place, _)| kept.next_if_eq(place).is_some());
    Ok(once.map(|(_, topic)| topic).collect())
}

fn ping(topics: Vec<TopicName>) -> Result<Vec<TopicName>, Problem> {
    if topics.is_empty() {
        return Err(missing(
            "hub.url",
            "absolute http or https URLs, in hub.url or hub.topic",
        ));
    }
    match topics.iter().find(|topic| !topic.is_url()) {
        None => Ok(topics),
        Some(plain) => {
            let name = plain.given();
            Err(Problem::new(
                Reason::BadParameter,
                format!(
                    "{name:?} is a plain name, for which nothing is fetched; publish to it with \
                     POST /dispatch?_topic={name}, or send hub.content"
                ),
            ))
        }
    }
}

fn content<'a>(
    topics: Vec<TopicName>,
    content_type: Cow<'a, str>,
    body: Cow<'a, [u8]>,
) -> Result<Asked<'a>, Problem> {
    let mut topics = topics.into_iter();
    let Some(topic) = topics.next() else {
        return Err(missing("hub.topic", "the one topic of the content"));
    };
    if topics.next().is_some() {
        return Err(Problem::new(
            Reason::BadParameter,
            "hub.content with several topics; allowed: one hub.topic",
        ));
    }
    if topic.given().starts_with('$') {
        return Err(Reason::ReservedTopic.into());
    }
    Ok(Asked::Content(Content {
        topic,
        content_type,
        body,
    }))
}
