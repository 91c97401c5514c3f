//! The head of an attempt's request, as dispatch.md section 7 lists it.
//! It writes bytes and decides nothing; every value in it was checked at intake.

use crate::base::time::Wall;
use crate::http::write;
use crate::model::{Message, Method};

use super::delivery::{Delivery, Terms};
use super::fields;

/// The User-Agent of every call that brings none of its own.
const USER_AGENT: &str = concat!("Hookah/", env!("CARGO_PKG_VERSION"));

/// Appends the request line and fields, and the empty line after them.
pub(super) fn head(
    out: &mut Vec<u8>,
    delivery: &Delivery,
    message: &Message,
    terms: &Terms,
    now: Wall,
) {
    let target = delivery.target_now();
    let stripped = delivery.is_stripped();
    for part in [
        delivery.method.as_str(),
        " ",
        &target.path,
        " HTTP/1.1\r\nHost: ",
    ] {
        out.extend_from_slice(part.as_bytes());
    }
    out.extend_from_slice(target.authority.as_bytes());
    let extra = message.extra.as_ref();
    let brought = extra.map_or(&[][..], |extra| &extra.fields);
    if !fields::has(brought, "user-agent") {
        field(out, "User-Agent", USER_AGENT.as_bytes());
    }
    let bare = matches!(delivery.method, Method::Get | Method::Head | Method::Delete);
    if !message.body.is_empty() || !bare {
        if !message.content_type.is_empty() {
            field(out, "Content-Type", message.content_type.as_bytes());
        }
        number(out, "Content-Length", message.body.len() as u64);
    }
    if let Some(authorization) = &target.authorization
        && !fields::has(brought, "authorization")
    {
        field(out, "Authorization", authorization.as_bytes());
    }
    let signer = terms.signer.as_ref().filter(|_| !stripped);
    let replaced = signer.map_or("", |signer| signer.field());
    fields::write(out, brought, |name| {
        !(stripped && fields::is_credential(name) || name.eq_ignore_ascii_case(replaced))
    });
    let (id, timestamp) = (message.id.text(), now.seconds());
    field(out, "webhook-id", &id);
    number(out, "webhook-timestamp", timestamp);
    if let Some(signer) = signer {
        field(out, signer.field(), b"");
        signer.write(out, &id, timestamp, &message.body);
    }
    number(out, "Hookah-Attempt", u64::from(delivery.attempts));
    number(out, "Hookah-Hops", u64::from(terms.hops) + 1);
    out.extend_from_slice(b"\r\n\r\n");
}

fn field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    debug_assert!(
        value.iter().all(|byte| *byte >= 0x20 && *byte != 0x7f),
        "control byte in {name}"
    );
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
}

fn number(out: &mut Vec<u8>, name: &str, value: u64) {
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    write::number(out, value);
}
