//! The head of an attempt's request, as dispatch.md section 7 and WebSub section 7 list it.
//! It writes bytes and decides nothing; every value in it was checked at intake.

use crate::base::time::Wall;
use crate::http::write;
use crate::model::{Message, MessageId, Method, Target};

use super::delivery::{Delivery, Terms};
use super::fields;
use super::notice::Notice;
use super::seal;

/// The User-Agent of every call that brings none of its own.
const USER_AGENT: &str = concat!("Hookah/", env!("CARGO_PKG_VERSION"));
/// The media type of a notice whose content has none (hub.md C18).
const UNTYPED: &str = "application/octet-stream";
/// What a subscriber gets of the fields that a message brings: that without which the body cannot
/// be read, and that which passes every server. The rest is for the publisher's own targets.
const NOTICED: &[&str] = &["content-encoding", "traceparent"];

/// Appends the request line and fields, and the empty line after them.
pub(super) fn head(
    out: &mut Vec<u8>,
    delivery: &Delivery,
    message: &Message,
    terms: &Terms,
    now: Wall,
) {
    let target = delivery.target_now();
    for part in [
        delivery.method.as_str(),
        " ",
        &target.path,
        " HTTP/1.1\r\nHost: ",
    ] {
        out.extend_from_slice(part.as_bytes());
    }
    out.extend_from_slice(target.authority.as_bytes());
    match &delivery.notice {
        None => forward(out, delivery, message, terms, now),
        Some(notice) => announce(out, delivery, notice, message, now),
    }
    number(out, "Hookah-Attempt", u64::from(delivery.attempts));
    number(out, "Hookah-Hops", u64::from(terms.hops) + 1);
    out.extend_from_slice(b"\r\n\r\n");
}

/// The fields that the message's own targets get.
fn forward(out: &mut Vec<u8>, delivery: &Delivery, message: &Message, terms: &Terms, now: Wall) {
    let stripped = delivery.is_stripped();
    let brought = brought(message);
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
    if !fields::has(brought, "authorization") {
        authorize(out, delivery.target_now());
    }
    let signer = terms.signer.as_ref().filter(|_| !stripped);
    let replaced = signer.map_or("", |signer| signer.field());
    fields::write(out, brought, |name| {
        !(stripped && fields::is_credential(name) || name.eq_ignore_ascii_case(replaced))
    });
    let id = identify(out, message.id, now);
    if let Some(signer) = signer {
        field(out, signer.field(), b"");
        signer.write(out, &id, now.seconds(), &message.body);
    }
}

/// The fields that subscribers get.
fn announce(out: &mut Vec<u8>, delivery: &Delivery, notice: &Notice, message: &Message, now: Wall) {
    field(out, "User-Agent", USER_AGENT.as_bytes());
    let content_type = match &*message.content_type {
        "" => UNTYPED,
        given => given,
    };
    field(out, "Content-Type", content_type.as_bytes());
    number(out, "Content-Length", message.body.len() as u64);
    authorize(out, delivery.target_now());
    fields::write(out, brought(message), |name| {
        NOTICED.iter().any(|known| known.eq_ignore_ascii_case(name))
    });
    field(out, "Link", notice.link.as_bytes());
    if let Some(seal) = &notice.seal {
        field(out, seal::FIELD, b"");
        seal::write(out, seal, &message.body);
    }
    field(out, "X-Hub-Delivery", &message.id.text());
    number(out, "X-Hub-Attempt", u64::from(delivery.attempts));
    identify(out, message.id, now);
}

fn brought(message: &Message) -> &[u8] {
    let extra = message.extra.as_ref();
    extra.map_or(&[], |extra| &extra.fields)
}

fn authorize(out: &mut Vec<u8>, target: &Target) {
    if let Some(authorization) = &target.authorization {
        field(out, "Authorization", authorization.as_bytes());
    }
}

/// Which message it is, and when this attempt was made (Standard Webhooks); the id as text.
fn identify(out: &mut Vec<u8>, id: MessageId, now: Wall) -> [u8; MessageId::TEXT_BYTES] {
    let text = id.text();
    field(out, "webhook-id", &text);
    number(out, "webhook-timestamp", now.seconds());
    text
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
