//! What must hold for any form at all: cut nothing and nothing changes, cut one field and the rest
//! is what it was. One function for each fuzz target; nothing here invents input.

use hookah::base::time::Wall;
use hookah::dispatch::Settings;
use hookah::dispatch::intake::{self, Scratch, Submission};
use hookah::dispatch::options;
use hookah::http::form::{self, Field, Keeper};
use hookah::http::multipart::{self, Delimiter, Part};

/// Cuts that are tried on one input; the checks stay linear in its length.
const CUTS_MAX: usize = 8;

/// Inputs up to this length are tried with every end cut off too.
const CUT_SHORT_BYTES_MAX: usize = 256;

fn each_beginning(data: &[u8], check: fn(&[u8])) {
    let first = if data.len() <= CUT_SHORT_BYTES_MAX {
        0
    } else {
        data.len()
    };
    (first..=data.len()).for_each(|len| check(&data[..len]));
}

/// Forms: see [`one_form`].
pub fn urlencoded(data: &[u8]) {
    each_beginning(data, one_form);
}

/// Multipart bodies: see [`one_multipart`].
pub fn multipart(data: &[u8]) {
    each_beginning(data, one_multipart);
}

/// The pieces are the text, decoding agrees with the `url` crate's, and any cut leaves the
/// rest byte for byte.
fn one_form(data: &[u8]) {
    let fields: Vec<Field<'_>> = form::fields(data).collect();
    assert_eq!(gathered(&fields), data, "a form that nothing was cut from");
    for field in &fields {
        assert_eq!(data.get(field.range()), Some(field.raw));
    }
    let theirs = url::form_urlencoded::parse(data);
    let present = fields.iter().filter(|field| !field.is_empty());
    for (field, (name, value)) in present.clone().zip(theirs) {
        assert_eq!(String::from_utf8_lossy(&form::decode(field.name)), name);
        assert_eq!(String::from_utf8_lossy(&form::decode(field.value)), value);
    }
    assert_eq!(present.count(), url::form_urlencoded::parse(data).count());
    for cut in 0..fields.len().min(CUTS_MAX) {
        let mut rest = fields.clone();
        rest.remove(cut);
        let text = gathered(&rest);
        if !rest.is_empty() {
            assert!(
                form::fields(&text)
                    .map(|field| field.raw)
                    .eq(rest.iter().map(|it| it.raw))
            );
        }
    }
    if let Some(body) = forwarded(form::MEDIA_TYPE, data) {
        let payload = |field: &Field<'_>| options::field(&form::decode(field.name)).is_none();
        let mut want = gathered(&fields.into_iter().filter(payload).collect::<Vec<_>>());
        if want.iter().all(|byte| *byte == b'&') {
            want.clear();
        }
        assert_eq!(body, want, "what a dispatch forwards");
    }
}

fn gathered(fields: &[Field<'_>]) -> Vec<u8> {
    let mut text = Vec::new();
    let mut keeper = Keeper::new(&mut text);
    fields.iter().for_each(|field| keeper.keep(field));
    text
}

/// The input's first line is the boundary. The parts lie side by side from the first
/// delimiter to the last, and any cut leaves the other parts and what surrounds them.
fn one_multipart(data: &[u8]) {
    let line = data
        .iter()
        .position(|byte| *byte == b'\n')
        .unwrap_or(data.len());
    let (boundary, body) = (&data[..line], data.get(line + 1..).unwrap_or_default());
    let Some(delimiter) = Delimiter::new(boundary) else {
        return;
    };
    let quoted = String::from_utf8_lossy(boundary);
    let content_type = format!("multipart/form-data; boundary=\"{quoted}\"");
    assert_eq!(Delimiter::of(&content_type), Ok(delimiter));
    let dispatched = forwarded(&content_type, body);
    let Some((parts, close)) = read(&delimiter, body) else {
        assert_eq!(dispatched, None, "forwarded what cannot be read");
        return;
    };
    let first = parts.first().map_or(close, |part| part.range.start);
    let mut end = first;
    for part in &parts {
        assert_eq!(part.range.start, end, "parts lie side by side");
        end = part.range.end;
        assert!(body[part.range.clone()].starts_with(delimiter.dashed()));
        assert!(body[part.range.clone()].ends_with(&[part.content, b"\r\n"].concat()));
    }
    assert_eq!(end, close);
    for cut in 0..parts.len().min(CUTS_MAX) {
        let mut left = parts.clone();
        let range = left.remove(cut).range;
        let text = [&body[..range.start], &body[range.end..]].concat();
        let (again, again_close) = read(&delimiter, &text).expect("a cut breaks nothing");
        let own = |part: &Part<'_>| (part.name.to_vec(), part.content.to_vec());
        assert!(again.iter().map(own).eq(left.iter().map(own)));
        assert_eq!(text[again_close..], body[close..]);
    }
    if let Some(sent) = dispatched {
        let mut want = body[..first].to_vec();
        let payload = parts
            .iter()
            .filter(|part| options::field(part.name).is_none());
        payload
            .clone()
            .for_each(|part| want.extend_from_slice(&body[part.range.clone()]));
        want.extend_from_slice(&body[close..]);
        let none = payload.count() == 0;
        assert_eq!(
            sent,
            if none { Vec::new() } else { want },
            "what a dispatch forwards"
        );
    }
}

/// The parts and the closing delimiter's place; `None` if the body is malformed.
fn read<'a>(delimiter: &'a Delimiter, body: &'a [u8]) -> Option<(Vec<Part<'a>>, usize)> {
    let mut parts = delimiter.parts(body);
    let found: Result<Vec<_>, multipart::Malformed> = parts.by_ref().collect();
    assert!(parts.next().is_none(), "it goes on after its end");
    Some((found.ok()?, parts.close()))
}

/// The body that a dispatch sends on whose target stands in the query; `None` if it is refused.
fn forwarded(content_type: &str, body: &[u8]) -> Option<Vec<u8>> {
    let submission = Submission {
        caller: Default::default(),
        tail: None,
        query: Some("_topic=t"),
        content_type: Some(content_type),
        body,
        headers: &[],
    };
    let mut scratch = Scratch::default();
    let now = Wall(1_767_323_045_000_000);
    let intake = intake::read(&submission, &Settings::default(), now, &mut scratch).ok()?;
    assert_eq!((intake.urls.len(), intake.topics.len()), (0, 1));
    Some(intake.body.to_vec())
}
