//! What must hold for any body in JSON: it is one line, other parsers read it, and it says what
//! the body says. What a body says is found here by other means than Hookah's.

#[path = "../support/decode.rs"]
#[allow(dead_code)]
mod decode;

use std::borrow::Cow;
use std::collections::BTreeMap;

use decode::{Content, Line, Said};
use hookah::base::frame::Frame;
use hookah::base::time::Wall;
use hookah::http::multipart::Delimiter;
use hookah::model::{Message, MessageId, TopicNames};
use hookah::topics::format::{Format, Scratch, payload};
use serde_json::value::RawValue;

/// The first line is the media type, the rest the body; the topic is the body's first bytes.
pub fn json_line(data: &[u8]) {
    let (media_type, body) = match data.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&data[..end], &data[end + 1..]),
        None => (data, &b""[..]),
    };
    let media_type = String::from_utf8_lossy(media_type).into_owned();
    says_what_it_is(&media_type, body, &body[..body.len().min(3)]);
}

/// Panics if the line of that message does not say it.
pub fn says_what_it_is(media_type: &str, body: &[u8], topic: &[u8]) {
    let message = Message {
        method: hookah::model::Method::Post,
        hops: 0,
        id: MessageId(7 << 80),
        accepted: Wall(1_763_880_000_001_999),
        content_type: Cow::Owned(media_type.to_owned()),
        body: Frame::copy_of(body),
        topics: TopicNames::default(),
        extra: None,
    };
    let frame = Format::Json.encode(&message, topic, &mut Scratch::default());
    let line = payload(&frame).strip_suffix(b"\r\n").expect("a line end");
    assert!(
        !line.iter().any(|byte| matches!(byte, b'\r' | b'\n')),
        "more than one line"
    );
    let Said::Message(said) = decode::said(line).expect("a line of JSON") else {
        panic!("a notice");
    };
    let content = said.content.clone();
    let head = Line {
        id: message.id.to_string(),
        millis: 1_763_880_000_001,
        topic: topic.to_vec(),
        media_type: media_type.to_owned(),
        content: content.clone(),
    };
    assert_eq!(said, head);
    let meaning = meaning(media_type, body);
    match (content, meaning) {
        (Content::Data(data), Some(Meaning::Fields(fields))) => {
            let members = decode::members(data.as_bytes()).expect("an object");
            assert_eq!(values(members), values(fields));
        }
        (Content::Data(data), Some(Meaning::Json(json))) => {
            assert_eq!(data, json.trim_matches([' ', '\t']));
        }
        (Content::Text(text), meaning) => {
            assert_eq!(text.as_bytes(), body);
            let deep = body.iter().filter(|byte| b"[{".contains(byte)).count() > 100;
            assert!(meaning.is_none() || deep, "text instead of data");
        }
        (Content::Base64(bytes), None) => {
            assert_eq!(bytes, body);
            assert!(std::str::from_utf8(body).is_err(), "text in base64");
        }
        (content, _) => panic!("unexpected: {content:?}"),
    }
}

/// The members as values: a character may be escaped in more than one way.
fn values(members: Vec<(String, String)>) -> Vec<(String, serde_json::Value)> {
    let value = |text: String| serde_json::from_str(&text).expect("JSON");
    let members = members.into_iter();
    members.map(|(name, text)| (name, value(text))).collect()
}

/// What `data` must be.
enum Meaning {
    /// An object of these members; values without white space.
    Fields(Vec<(String, String)>),
    /// This JSON, but for white space around it.
    Json(String),
}

fn meaning(media_type: &str, body: &[u8]) -> Option<Meaning> {
    let essence = media_type.split(';').next().unwrap_or_default();
    let essence = essence.trim_matches([' ', '\t']).to_ascii_lowercase();
    match &*essence {
        "" if media_type.is_empty() && body.is_empty() => Some(Meaning::Fields(Vec::new())),
        "application/x-www-form-urlencoded" => {
            let pairs = url::form_urlencoded::parse(body);
            let json = |text: &str| serde_json::to_string(text).expect("JSON");
            let pairs = pairs.map(|(name, value)| (name.into_owned(), json(&value)));
            Some(Meaning::Fields(grouped(pairs.collect())))
        }
        "multipart/form-data" => parts(media_type, body).map(Meaning::Fields),
        kind if kind == "application/json" || kind.ends_with("+json") => {
            let text = std::str::from_utf8(body).ok()?;
            serde_json::from_str::<&RawValue>(text).ok()?;
            Some(Meaning::Json(text.replace(['\r', '\n'], "")))
        }
        _ => None,
    }
}

/// The parser of parts is Hookah's own, which has a check of its own.
fn parts(media_type: &str, body: &[u8]) -> Option<Vec<(String, String)>> {
    use base64::Engine as _;
    let delimiter = Delimiter::of(media_type).ok()?;
    let mut fields = Vec::new();
    for part in delimiter.parts(body) {
        let part = part.ok()?;
        let json =
            |text: &[u8]| serde_json::to_string(&String::from_utf8_lossy(text)).expect("JSON");
        let value = match (part.filename, std::str::from_utf8(part.content)) {
            (None, Ok(_)) => json(part.content),
            (filename, _) => {
                let filename = filename.map(|name| format!("\"filename\":{},", json(name)));
                let media_type = json(part.content_type.unwrap_or_default());
                let base64 = base64::engine::general_purpose::STANDARD.encode(part.content);
                format!(
                    "{{{}\"type\":{media_type},\"size\":{},\"base64\":\"{base64}\"}}",
                    filename.unwrap_or_default(),
                    part.content.len(),
                )
            }
        };
        fields.push((String::from_utf8_lossy(part.name).into_owned(), value));
    }
    Some(grouped(fields))
}

/// Fields of one name together, where its first stands.
fn grouped(fields: Vec<(String, String)>) -> Vec<(String, String)> {
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for (name, value) in fields {
        let place = *places.entry(name.clone()).or_insert_with(|| {
            groups.push((name, Vec::new()));
            groups.len() - 1
        });
        groups[place].1.push(value);
    }
    let joined = groups.into_iter().map(|(name, values)| match &*values {
        [value] => (name, value.clone()),
        values => (name, format!("[{}]", values.join(","))),
    });
    joined.collect()
}
