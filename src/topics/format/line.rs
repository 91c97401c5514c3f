//! A message as one line of JSON. It never holds a line break, whatever the message holds.
//! It decides by the media type and never guesses one from the body.
//!
//! Names and values that are no UTF-8 get U+FFFD where they are not, as everywhere in the URL
//! standard. A topic is an identity, so one that is no UTF-8 has `topic_base64` behind it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::KEPT_BYTES_MAX;
use super::fields::Fields;
use crate::base::frame::Frame;
use crate::http::json::{self, scan};
use crate::http::multipart::Delimiter;
use crate::http::{form, media, multipart, write};
use crate::model::{Message, MessageId};

/// What of the last message's line does not depend on the topic, rendered once.
#[derive(Debug, Default)]
pub(super) struct Rendered {
    /// The message, and whether its body stands there as it is. The body tells two apart that have
    /// the same id, which only tests know.
    of: Option<(MessageId, Frame, bool)>,
    /// From the comma before the type to the closing brace.
    tail: Vec<u8>,
    fields: Fields,
}

impl Rendered {
    /// Appends the line, without its end. With `raw` it has the body as it is, as text or base64,
    /// and not what the body means.
    pub(super) fn line(&mut self, message: &Message, topic: &[u8], raw: bool, out: &mut Vec<u8>) {
        let is_this = |(id, body, was_raw): &(MessageId, Frame, bool)| {
            *id == message.id && *was_raw == raw && body.same(&message.body)
        };
        if !self.of.as_ref().is_some_and(is_this) {
            self.render(message, raw);
        }
        out.extend_from_slice(b"{\"id\":\"");
        out.extend_from_slice(&message.id.text());
        out.extend_from_slice(b"\",\"time\":");
        write::number(out, message.accepted.seconds());
        let millis = message.accepted.millis() % 1_000;
        let digits = [millis / 100, millis / 10 % 10, millis % 10].map(|it| b'0' + it as u8);
        out.push(b'.');
        out.extend_from_slice(&digits);
        out.extend_from_slice(b",\"topic\":");
        string(topic, out);
        if std::str::from_utf8(topic).is_err() {
            out.extend_from_slice(b",\"topic_base64\":");
            base64(topic, out);
        }
        out.extend_from_slice(&self.tail);
    }

    /// Bytes of the buffers.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.tail.capacity() + self.fields.held()
    }

    fn render(&mut self, message: &Message, raw: bool) {
        self.tail.clear();
        self.tail.shrink_to(KEPT_BYTES_MAX);
        self.of = Some((message.id, message.body.clone(), raw));
        self.tail.extend_from_slice(b",\"type\":");
        json::string(&mut self.tail, &message.content_type);
        if raw || !self.data(message) {
            let (body, out) = (&message.body, &mut self.tail);
            match std::str::from_utf8(body) {
                Ok(text) => {
                    out.extend_from_slice(b",\"text\":");
                    json::string(out, text);
                }
                Err(_) => {
                    out.extend_from_slice(b",\"base64\":");
                    base64(body, out);
                }
            }
        }
        self.fields.clear();
        self.tail.push(b'}');
    }

    /// Appends what the body means; nothing, and false, if it is not what its type says it is.
    fn data(&mut self, message: &Message) -> bool {
        const DATA: &[u8] = b",\"data\":";
        let (kind, body) = (&*message.content_type, &*message.body);
        let is_form = match kind {
            // A form without fields is sent as no body at all.
            "" => body.is_empty(),
            kind => media::is(kind, form::MEDIA_TYPE),
        };
        if is_form {
            if !self.fields.read_form(body) {
                return false;
            }
        } else if media::is(kind, multipart::MEDIA_TYPE) {
            let delimiter = Delimiter::of(kind);
            if !delimiter.is_ok_and(|it| self.fields.read_multipart(it.parts(body))) {
                return false;
            }
        } else {
            let is_json = media::is_json(kind) && is_valid(body);
            if is_json {
                self.tail.extend_from_slice(DATA);
                on_one_line(body, &mut self.tail);
            }
            return is_json;
        }
        self.tail.extend_from_slice(DATA);
        self.fields.write(&mut self.tail);
        true
    }
}

/// Whether a body that calls itself JSON is, to its end.
fn is_valid(body: &[u8]) -> bool {
    match scan::object(body) {
        Ok(Some(mut members)) => members.all(|member| member.is_ok()),
        Ok(None) => true,
        Err(_) => false,
    }
}

/// Appends valid JSON without its line breaks. They are white space between tokens: strings cannot
/// hold them, and two tokens that only white space separates are no JSON.
fn on_one_line(json: &[u8], out: &mut Vec<u8>) {
    let mut rest = json;
    while let Some(at) = memchr::memchr2(b'\r', b'\n', rest) {
        let (before, behind) = rest.split_at(at);
        out.extend_from_slice(before);
        rest = behind.get(1..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
}

/// Appends bytes as a string; what is no UTF-8 becomes U+FFFD.
pub(super) fn string(text: &[u8], out: &mut Vec<u8>) {
    json::string(out, &String::from_utf8_lossy(text));
}

/// Appends bytes as a string in base64, without an allocation of its own.
pub(super) fn base64(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, b'=');
    let room = out.get_mut(start..).unwrap_or_default();
    let written = STANDARD.encode_slice(bytes, room);
    debug_assert!(written.is_ok(), "base64 takes more room than it should");
    out.push(b'"');
}
