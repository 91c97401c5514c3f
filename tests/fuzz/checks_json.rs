//! What must hold for any JSON at all: a parser of another make agrees on what is JSON, on every
//! name and value, and a cut leaves the other members as they were. Nothing here invents input.

use hookah::base::time::Wall;
use hookah::dispatch::Settings;
use hookah::dispatch::intake::{self, Scratch, Submission};
use hookah::dispatch::options;
use hookah::http::json::cut::Cutter;
use hookah::http::json::scan::{self, Member};
use serde_json::value::RawValue;

/// Cuts that are tried on one input; the checks stay linear in its length.
const CUTS_MAX: usize = 8;

/// The members of an object, `None` if it is other JSON.
type Read = Option<Vec<Member>>;

/// See the head of this file.
pub fn json(data: &[u8]) {
    let ours = read(data);
    let theirs = std::str::from_utf8(data)
        .ok()
        .and_then(|text| serde_json::from_str::<&RawValue>(text).ok());
    match &ours {
        Ok(_) => assert!(theirs.is_some(), "not JSON for the other parser"),
        Err(wrong) if wrong.complaint.starts_with("too deep") => {}
        Err(wrong) => assert!(theirs.is_none(), "refused: {wrong}"),
    }
    if let Ok(Some(members)) = ours {
        for cut in 0..members.len().min(CUTS_MAX) {
            a_cut_leaves_the_rest(data, &members, |place| place == cut);
        }
        a_cut_leaves_the_rest(data, &members, |place| place % 2 == 0);
        a_cut_leaves_the_rest(data, &members, |_| true);
        values_agree(data, &members);
        dispatched(data, &members);
    }
}

fn read(data: &[u8]) -> Result<Read, scan::Malformed> {
    match scan::object(data)? {
        Some(members) => members.collect::<Result<Vec<_>, _>>().map(Some),
        None => Ok(None),
    }
}

fn cut(data: &[u8], members: &[Member], goes: impl Fn(usize) -> bool) -> Vec<u8> {
    let mut cutter = Cutter::new(data);
    let mut left = Vec::new();
    for (place, member) in members.iter().enumerate() {
        cutter.take(member, !goes(place), &mut left);
    }
    cutter.finish(&mut left);
    left
}

/// What is left reads as the same members without those that were cut, byte for byte.
fn a_cut_leaves_the_rest(data: &[u8], members: &[Member], goes: impl Fn(usize) -> bool) {
    let left = cut(data, members, &goes);
    let again = read(&left).expect("JSON").expect("an object");
    let own = |text: &[u8], member: &Member| {
        (
            text[member.name.clone()].to_vec(),
            text[member.value.clone()].to_vec(),
        )
    };
    let kept = members
        .iter()
        .enumerate()
        .filter(|(place, _)| !goes(*place));
    let kept: Vec<_> = kept.map(|(_, member)| own(data, member)).collect();
    let again: Vec<_> = again.iter().map(|member| own(&left, member)).collect();
    assert_eq!(again, kept);
    assert!(cut(data, members, |_| false) == data, "a cut of nothing");
}

/// Strings decode as the other parser decodes them.
fn values_agree(data: &[u8], members: &[Member]) {
    for member in members {
        for range in [&member.name, &member.value] {
            let raw = &data[range.clone()];
            if raw.starts_with(b"\"") {
                let theirs = serde_json::from_slice::<String>(raw).ok();
                let ours =
                    scan::text(raw).map(|text| String::from_utf8(text.into_owned()).unwrap());
                assert_eq!(ours, theirs);
            }
        }
    }
}

/// What a dispatch forwards, if it takes it, is the object without the members that are options.
fn dispatched(data: &[u8], members: &[Member]) {
    let submission = Submission {
        caller: Default::default(),
        tail: None,
        query: None,
        content_type: Some("application/json"),
        body: data,
        headers: &[],
    };
    let mut scratch = Scratch::default();
    let now = Wall(1_767_323_045_000_000);
    let Ok(intake) = intake::read(&submission, &Settings::default(), now, &mut scratch) else {
        return;
    };
    let is_option = |place: usize| {
        let name = scan::text(&data[members[place].name.clone()]);
        name.is_some_and(|name| options::field(&name).is_some())
    };
    assert_eq!(intake.body, cut(data, members, is_option));
}
