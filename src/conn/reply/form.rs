//! How replies are written: status, fields and body of each kind.
//! It never decides when one goes.

use super::{Preflight, Reach, Told};
use crate::http::json;
use crate::http::problem::Problem;
use crate::http::write::{self, Answer, How};
use crate::model::MessageId;

pub(super) fn write_told(out: &mut Vec<u8>, told: &Told, how: &How<'_>) {
    let fields: Vec<_> = told
        .fields
        .iter()
        .map(|(name, it)| (*name, &**it))
        .collect();
    let answer = Answer {
        status: told.status,
        content_type: Some("application/json"),
        fields: &fields,
        body: &told.body,
    };
    write::answer(out, &answer, how);
}

/// Which methods are allowed.
pub(super) fn write_methods(out: &mut Vec<u8>, allow: &str, how: &How<'_>) {
    let answer = Answer {
        status: 204,
        content_type: None,
        fields: &[("Allow", allow)],
        body: b"",
    };
    write::answer(out, &answer, how);
}

/// Fields that scripts may always send.
const FIELDS: &str = "Authorization, Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID, \
                      Prefer";

pub(super) fn write_preflight(out: &mut Vec<u8>, preflight: &Preflight, how: &How<'_>) {
    let mut names = FIELDS.to_owned();
    for name in &preflight.fields {
        if !FIELDS.split(", ").any(|it| it.eq_ignore_ascii_case(name)) {
            names.push_str(", ");
            names.push_str(name);
        }
    }
    let fields = [
        ("Allow", preflight.allow),
        ("Access-Control-Allow-Methods", preflight.allow),
        ("Access-Control-Allow-Headers", &*names),
        ("Access-Control-Max-Age", "86400"),
        ("Access-Control-Allow-Private-Network", "true"),
    ];
    let answer = Answer {
        status: 204,
        content_type: None,
        fields: &fields[..if preflight.private { 5 } else { 4 }],
        body: b"",
    };
    write::answer(out, &answer, how);
}

pub(super) fn write_problem(
    out: &mut Vec<u8>,
    problem: &Problem,
    json: bool,
    allow: Option<&'static str>,
    retry_after: Option<u32>,
    how: &How<'_>,
) {
    let seconds = retry_after.map(|seconds| seconds.to_string());
    let mut fields = [("", ""); 3];
    let mut len = 0;
    if let Some(challenge) = problem.reason.challenge() {
        fields[len] = ("WWW-Authenticate", challenge);
        len += 1;
    }
    if let Some(allow) = allow {
        fields[len] = ("Allow", allow);
        len += 1;
    }
    if let Some(seconds) = &seconds {
        fields[len] = ("Retry-After", seconds);
        len += 1;
    }
    write::problem(out, problem, json, &fields[..len], how);
}

/// `/messages/` and the id's text.
const LOCATION_BYTES: usize = 10 + MessageId::TEXT_BYTES;

/// Of what is kept in memory only.
pub(super) const DURABILITY: (&str, &str) = ("Hookah-Durability", "memory");
/// Of what was taken before.
const DUPLICATE: (&str, &str) = ("Hookah-Duplicate", "true");

/// `json` is the body where it is not the usual text. What lasts no longer than the process says
/// so, and so does what was taken before.
pub(super) fn write_accepted(
    out: &mut Vec<u8>,
    id: MessageId,
    json: Option<&[u8]>,
    (volatile, duplicate): (bool, bool),
    how: &How<'_>,
) {
    let text = id.text();
    let mut location = [0; LOCATION_BYTES];
    location[..10].copy_from_slice(b"/messages/");
    location[10..].copy_from_slice(&text);
    let id = std::str::from_utf8(&text).unwrap_or_default();
    let location = std::str::from_utf8(&location).unwrap_or_default();
    let mut fields = [
        ("Hookah-Id", id),
        ("Location", location),
        ("", ""),
        ("", ""),
    ];
    let mut len = 2;
    for (wanted, field) in [(volatile, DURABILITY), (duplicate, DUPLICATE)] {
        if wanted {
            fields[len] = field;
            len += 1;
        }
    }
    let fields = &fields[..len];
    let (content_type, body) = match json {
        Some(body) => ("application/json", body),
        None => ("text/plain; charset=utf-8", &b"202 Scheduled"[..]),
    };
    let answer = Answer {
        status: 202,
        content_type: Some(content_type),
        fields,
        body,
    };
    write::answer(out, &answer, how);
}

/// The 202's body as JSON (dispatch.md section 5): one topic is a string, several are an array.
pub(super) fn accepted_json(id: MessageId, reach: Option<&Reach>) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    out.extend_from_slice(b"{\"id\":\"");
    out.extend_from_slice(&id.text());
    out.extend_from_slice(b"\",\"status\":\"scheduled\"");
    if let Some(reach) = reach {
        out.extend_from_slice(b",\"topic\":");
        let several = reach.topics.iter().nth(1).is_some();
        for (place, name) in reach.topics.iter().enumerate() {
            if several {
                out.push(if place == 0 { b'[' } else { b',' });
            }
            json::string(&mut out, &String::from_utf8_lossy(name));
        }
        if several {
            out.push(b']');
        }
        out.extend_from_slice(b",\"streams\":");
        write::number(&mut out, reach.streams as u64);
        out.extend_from_slice(b",\"callbacks\":");
        write::number(&mut out, reach.callbacks as u64);
    }
    out.push(b'}');
    out
}
