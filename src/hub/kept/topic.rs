//! A topic as it is kept: what tells its next content from its last, what it says of itself, and
//! whether it is to be fetched.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Reader, Writer, mono, wall};
use crate::base::time::{Mono, Now};
use crate::hub::diff::Seen;
use crate::hub::name::TopicName;
use crate::hub::topic::{Advert, Fetch, Known, Topic};

/// What was kept of a topic.
#[derive(Debug)]
pub(in crate::hub) struct Record {
    pub(in crate::hub) name: TopicName,
    pub(in crate::hub) local: bool,
    pub(in crate::hub) known: Known,
    pub(in crate::hub) version: u64,
    pub(in crate::hub) seen: Seen,
    pub(in crate::hub) advert: Option<Advert>,
    /// What is left to be done, if anything.
    pub(in crate::hub) fetch: Fetch,
}

/// The value; `None` if nothing is known and nothing to be done. What the store has been given is
/// part of it already: this is kept with it, or neither is.
pub(in crate::hub) fn write(topic: &Topic, now: Now) -> Option<Box<[u8]>> {
    let (known, seen, version) = match &topic.fetch {
        Fetch::Storing { next, seen, .. } => (next, seen, topic.version + 1),
        _ => (&topic.known, &topic.seen, topic.version),
    };
    let left = left(&topic.fetch);
    if left.is_none() && *known == Known::default() && topic.advert.is_none() && version == 0 {
        return None;
    }
    let mut out = Writer::new();
    let text = |it: &Option<Box<str>>| it.as_deref().map(|it| it.as_bytes().to_vec());
    out.put("topic", topic.name.given().as_bytes());
    out.flag("local", topic.local);
    out.put_if("tag", text(&known.tag).as_deref());
    out.put_if("modified", text(&known.modified).as_deref());
    if let Some(digest) = known.digest {
        out.put("digest", URL_SAFE_NO_PAD.encode(digest).as_bytes());
    }
    out.number("version", version);
    if let Some(advert) = &topic.advert {
        out.flag("looked", true);
        out.put_if("self", text(&advert.canonical).as_deref());
        out.put_if("hub", text(&advert.hub).as_deref());
    }
    if let Some((due, tries, put_off)) = left {
        out.flag("pending", true);
        out.number("tries", tries.into());
        if due > now.mono {
            out.number("due", wall(now, due));
            out.flag("put-off", put_off);
        }
    }
    let seen = seen.to_bytes();
    if !seen.is_empty() {
        out.put("seen", URL_SAFE_NO_PAD.encode(seen).as_bytes());
    }
    Some(out.done())
}

/// Whether it is to be fetched: when, how often that has failed, and whether the publisher wants to
/// be left alone until then. What is under way is begun anew.
fn left(fetch: &Fetch) -> Option<(Mono, u32, bool)> {
    match fetch {
        Fetch::Waiting {
            due,
            tries,
            put_off,
        } => Some((*due, *tries, *put_off)),
        Fetch::Out { tries, .. } => Some((Mono::default(), *tries, false)),
        Fetch::Storing { again: true, .. } => Some((Mono::default(), 0, false)),
        Fetch::Storing { again: false, .. } | Fetch::Idle => None,
    }
}

/// Reads a value; `None` if it is none that could have been written.
pub(in crate::hub) fn read(value: &[u8], now: Now) -> Option<Record> {
    let fields = Reader::of(value)?;
    let text = |name: &str| fields.text(name).map(Box::from);
    let decoded = |name: &str| match fields.bytes(name) {
        Some(encoded) => URL_SAFE_NO_PAD.decode(encoded).ok(),
        None => Some(Vec::new()),
    };
    let digest = decoded("digest")?;
    let advert = fields.flag("looked").then(|| Advert {
        canonical: text("self"),
        hub: text("hub"),
    });
    let fetch = match fields.flag("pending") {
        true => Fetch::Waiting {
            due: mono(now, fields.number("due")),
            tries: fields.small("tries"),
            put_off: fields.flag("put-off"),
        },
        false => Fetch::Idle,
    };
    Some(Record {
        name: TopicName::parse("", fields.bytes("topic")?).ok()?,
        local: fields.flag("local"),
        known: Known {
            tag: text("tag"),
            modified: text("modified"),
            digest: digest.try_into().ok(),
        },
        version: fields.number("version"),
        seen: Seen::from_bytes(&decoded("seen")?)?,
        advert,
        fetch,
    })
}
