//! What must hold for any batch at all: a parser of another make agrees on whether it is one and
//! how many messages are in it, and what is read of each lies in it. Nothing here invents input.

use hookah::base::time::Wall;
use hookah::dispatch::Settings;
use hookah::dispatch::intake::{Scratch, Submission, batch};
use hookah::http::problem::Reason;
use serde_json::Value;
use serde_json::value::RawValue;

const NOW: Wall = Wall(1_767_323_045_000_000);

/// See the head of this file.
pub fn batch(data: &[u8]) {
    let submission = Submission {
        caller: Default::default(),
        tail: None,
        query: None,
        content_type: None,
        body: data,
        headers: &[],
    };
    let mut scratch = Scratch::default();
    let theirs = theirs(data);
    let items = match batch::items(&submission, NOW, &mut scratch) {
        Ok(items) => items,
        Err(why) if why.detail.contains("too deep") => return,
        Err(why) => {
            assert!(theirs.is_none(), "refused: {}", why.detail);
            return assert_eq!(why.reason, Reason::BadJson);
        }
    };
    let theirs = theirs.expect("JSON for the other parser too");
    assert_eq!(items.len(), theirs.len(), "messages");
    for (item, their) in items.into_iter().zip(theirs) {
        let item = &data[item];
        assert_eq!(item.trim_ascii(), their.get().as_bytes());
        read(&submission, item, &mut scratch);
    }
}

/// The messages as the other parser sees them.
fn theirs(data: &[u8]) -> Option<Vec<Box<RawValue>>> {
    let text = std::str::from_utf8(data).ok()?;
    let start = text.trim_start_matches([' ', '\t', '\n', '\r', '\u{c}']);
    if start.is_empty() {
        return None;
    }
    if start.starts_with('[') {
        return serde_json::from_str(text).ok();
    }
    let lines = text.split('\n');
    let lines = lines.filter(|line| !line.trim_matches([' ', '\t', '\r', '\u{c}']).is_empty());
    lines.map(|line| serde_json::from_str(line).ok()).collect()
}

/// A message that is taken has a target, and its body is what the other parser reads.
fn read(submission: &Submission<'_>, item: &[u8], scratch: &mut Scratch) {
    let Ok(intake) = batch::read(submission, item, &Settings::default(), NOW, scratch) else {
        return;
    };
    assert!(
        !intake.urls.is_empty() || !intake.topics.is_empty(),
        "for nobody"
    );
    let Ok(Value::Object(members)) = serde_json::from_slice(item) else {
        return;
    };
    match members.get("body") {
        Some(Value::Null) | None => {}
        Some(Value::String(text)) => assert_eq!(intake.body, text.as_bytes()),
        Some(other) => {
            let body: Value = serde_json::from_slice(intake.body).expect("JSON");
            assert_eq!(body, *other);
        }
    }
}
