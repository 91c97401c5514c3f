//! What a publisher is told of a delivery that has ended: who asked for it, and the body that says
//! it (dispatch.md section 7). It sends nothing; a receipt is a message like any other.

use std::sync::Arc;

use crate::http::form;
use crate::http::json;
use crate::http::json::answer;
use crate::http::problem::Problem;
use crate::http::write;
use crate::model::record::Answered;
use crate::model::{Message, Outcome, Target};

/// Options of a message that hold for its receipts too: what signs, and where they may go.
const INHERITED: [&[u8]; 4] = [b"secret", b"sign", b"sign-scheme", b"targets"];

/// Where receipts go.
#[derive(Clone, Debug, Default)]
pub struct Tells {
    /// `callback`: of every delivery that was delivered, has failed or expired.
    pub callback: Option<Arc<Target>>,
    /// `errback`: of those that have failed or expired.
    pub errback: Option<Arc<Target>>,
}

/// The same places.
impl PartialEq for Tells {
    fn eq(&self, other: &Tells) -> bool {
        let place = |target: &Option<Arc<Target>>| {
            let target = target.as_ref();
            target.map(|target| (target.url.clone(), target.authorization.clone()))
        };
        let places = |it: &Tells| (place(&it.callback), place(&it.errback));
        places(self) == places(other)
    }
}

impl Eq for Tells {}

impl Tells {
    /// Each target with the option that named it.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Arc<Target>)> {
        let callback = self.callback.iter().map(|target| ("callback", target));
        callback.chain(self.errback.iter().map(|target| ("errback", target)))
    }

    /// Who is told of that outcome. Whoever called a delivery off knows it.
    pub fn of(&self, outcome: Outcome) -> impl Iterator<Item = &Arc<Target>> {
        let (callback, errback) = match outcome {
            Outcome::Delivered => (true, false),
            Outcome::Failed | Outcome::Expired => (true, true),
            Outcome::Canceled => (false, false),
        };
        let callback = self.callback.iter().filter(move |_| callback);
        callback.chain(self.errback.iter().filter(move |_| errback))
    }

    /// Bytes of memory held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let targets = self.iter();
        targets
            .map(|(_, target)| size_of::<Target>() + target.bytes())
            .sum()
    }
}

/// The refusal of an option's URL says which option it is.
pub(super) fn named(option: &str, why: Problem) -> Problem {
    Problem::new(why.reason, format!("{option}: {}", why.detail))
}

/// What there is to say.
#[derive(Debug)]
pub(super) struct Receipt<'a> {
    /// The message.
    pub(super) message: &'a Message,
    /// The URL it went to, for people.
    pub(super) url: &'a str,
    /// How it ended.
    pub(super) outcome: Outcome,
    /// Attempts made.
    pub(super) attempts: u32,
    /// The last answer's status, if an answer was why it ended; else zero.
    pub(super) status: u16,
    /// Why the last attempt failed, the word of the API, if that was why it ended; else empty.
    pub(super) error: &'a str,
    /// The answer.
    pub(super) answer: Option<&'a Answered>,
}

impl Receipt<'_> {
    /// The body.
    pub(super) fn body(&self) -> Vec<u8> {
        let size = self.answer.map_or(0, |it| it.head.len() + it.body.len());
        let mut out = Vec::with_capacity(256 + self.url.len() + size + size / 2);
        out.extend_from_slice(b"{\"id\":\"");
        out.extend_from_slice(&self.message.id.text());
        out.extend_from_slice(b"\",\"url\":");
        json::string(&mut out, self.url);
        for (name, word) in [
            ("method", self.message.method.as_str()),
            ("outcome", self.outcome.as_str()),
        ] {
            out.extend_from_slice(format!(",\"{name}\":\"{word}\"").as_bytes());
        }
        out.extend_from_slice(b",\"error\":");
        match self.error {
            "" => out.extend_from_slice(b"null"),
            error => json::string(&mut out, error),
        }
        out.extend_from_slice(b",\"attempts\":");
        write::number(&mut out, u64::from(self.attempts));
        out.extend_from_slice(b",\"status\":");
        match self.status {
            0 => out.extend_from_slice(b"null"),
            status => write::number(&mut out, u64::from(status)),
        }
        out.extend_from_slice(b",\"headers\":");
        answer::headers(&mut out, self.answer.map_or(&[], |it| &it.head));
        out.push(b',');
        answer::body(&mut out, self.answer.map_or(&[], |it| &it.body));
        let truncated = self.answer.is_some_and(|it| it.truncated);
        out.extend_from_slice(b",\"truncated\":");
        out.extend_from_slice(if truncated { b"true" } else { b"false" });
        let extra = self.message.extra.as_ref();
        if let Some(label) = extra.and_then(|extra| extra.label.as_ref()) {
            out.extend_from_slice(b",\"label\":");
            json::string(&mut out, label);
        }
        out.push(b'}');
        out
    }
}

/// What of a message's options goes on with its receipts, in the same form.
#[must_use]
pub(super) fn inherited(options: &str) -> String {
    let mut left = String::new();
    for field in form::fields(options.as_bytes()) {
        if INHERITED.contains(&field.name) {
            let text = options.get(field.range()).unwrap_or_default();
            if !left.is_empty() {
                left.push('&');
            }
            left.push_str(text);
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::frame::Frame;
    use crate::base::time::Wall;
    use crate::dispatch::target;
    use crate::model::{Extra, MessageId, Method, TopicNames};

    fn message(label: Option<&str>) -> Message {
        let extra = Extra {
            label: label.map(Box::from),
            ..Extra::default()
        };
        Message {
            id: MessageId(7),
            accepted: Wall(0),
            content_type: "".into(),
            body: Frame::copy_of(b""),
            topics: TopicNames::default(),
            method: Method::Put,
            hops: 0,
            extra: Some(Box::new(extra)),
        }
    }

    #[test]
    fn the_body_has_every_member() {
        let message = message(Some("a \"b\""));
        let answered = Answered {
            head: b"HTTP/1.1 500 No\r\nX-A: 1\r\n\r\n"[..].into(),
            body: b"oh"[..].into(),
            truncated: true,
        };
        let receipt = Receipt {
            message: &message,
            url: "http://h/p",
            outcome: Outcome::Failed,
            attempts: 3,
            status: 500,
            error: "status",
            answer: Some(&answered),
        };
        let id = message.id.to_string();
        let want = [
            &format!(r#"{{"id":"{id}","url":"http://h/p","method":"PUT","#),
            r#""outcome":"failed","error":"status","attempts":3,"status":500,"#,
            r#""headers":{"x-a":"1"},"body":"oh","truncated":true,"label":"a \"b\""}"#,
        ]
        .concat();
        assert_eq!(String::from_utf8(receipt.body()).unwrap(), want);
    }

    #[test]
    fn what_never_was_answered_says_so() {
        let message = message(None);
        let receipt = Receipt {
            message: &message,
            url: "http://h/",
            outcome: Outcome::Expired,
            attempts: 0,
            status: 0,
            error: "",
            answer: None,
        };
        let body = String::from_utf8(receipt.body()).unwrap();
        let end = [
            r#""outcome":"expired","error":null,"attempts":0,"status":null,"#,
            r#""headers":{},"body":"","truncated":false}"#,
        ];
        assert!(body.ends_with(&end.concat()), "{body}");
    }

    #[test]
    fn each_outcome_has_its_listeners() {
        let target = |url| Some(Arc::new(target::parse(url).unwrap()));
        let tells = Tells {
            callback: target("http://127.0.0.1/call"),
            errback: target("http://127.0.0.1/err"),
        };
        let told = |outcome| {
            let told: Vec<&str> = tells.of(outcome).map(|it| &*it.path).collect();
            told.join(" ")
        };
        assert_eq!(told(Outcome::Delivered), "/call");
        assert_eq!(told(Outcome::Failed), "/call /err");
        assert_eq!(told(Outcome::Expired), "/call /err");
        assert_eq!(told(Outcome::Canceled), "");
    }

    #[test]
    fn a_receipt_is_signed_as_its_message_and_has_no_receipts() {
        let options = "retries=3&secret=whsec_a%2Bb&callback=http://a/&sign-scheme=github&\
                       targets=public&errback=http://b/";
        let want = "secret=whsec_a%2Bb&sign-scheme=github&targets=public";
        assert_eq!(inherited(options), want);
        assert_eq!(inherited(""), "");
    }
}
