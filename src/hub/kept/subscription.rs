//! A subscription as it is kept: what holds, what is asked for, what happened to its deliveries.
//! What only somebody waits for who is gone after a restart is not among it.

use std::sync::Arc;

use super::{Reader, Writer, mono, seconds, wall};
use crate::base::time::{Mono, Now, Wall};
use crate::hub::name::{Callback, TopicName};
use crate::hub::subscription::{Past, Subscription, Terms};
use crate::hub::verify::{Step, Verification};
use crate::model::{Fault, Seal, SealMethod};

/// The names of what is asked for begin so.
const ASKED: &str = "asked-";
/// The methods of seals, and their words.
const METHODS: [(SealMethod, &str); 4] = [
    (SealMethod::Sha1, "sha1"),
    (SealMethod::Sha256, "sha256"),
    (SealMethod::Sha384, "sha384"),
    (SealMethod::Sha512, "sha512"),
];
/// What may have happened instead of an answer.
const FAULTS: [Fault; 7] = [
    Fault::Dns,
    Fault::Connect,
    Fault::Tls,
    Fault::Timeout,
    Fault::Status,
    Fault::Protocol,
    Fault::Policy,
];

/// What was kept of a subscription.
#[derive(Debug)]
pub(in crate::hub) struct Record {
    pub(in crate::hub) callback: Callback,
    pub(in crate::hub) terms: Option<Terms>,
    pub(in crate::hub) asked: Option<Verification>,
    pub(in crate::hub) past: Past,
    /// The version of the topic that was delivered last.
    pub(in crate::hub) had: u64,
}

/// The value; `None` if there is nothing that anybody was told of.
pub(in crate::hub) fn write(subscription: &Subscription, now: Now) -> Option<Box<[u8]>> {
    let terms = subscription.state.terms();
    // Somebody who waits has heard nothing, and a renewal comes again by itself.
    let asked = subscription.state.asked();
    let asked = asked.filter(|asked| asked.ticket.is_none() && !asked.renewal);
    if terms.is_none() && asked.is_none() {
        return None;
    }
    let mut out = Writer::new();
    out.put("callback", subscription.callback.text().as_bytes());
    if let Some(terms) = terms {
        put_terms(&mut out, terms);
        out.put("until", terms.ends.0.to_string().as_bytes());
        if terms.renew_at != Mono::NEVER {
            let before = terms.until.since(terms.renew_at);
            let at = terms
                .ends
                .0
                .saturating_sub(crate::base::time::micros(before));
            out.number("renewal", at);
        }
        let past = &subscription.past;
        out.number("failures", past.failures.into());
        if past.failures > 0 {
            out.number("last", past.last.map_or(0, |last| last.0));
            out.number("status", past.status.into());
            out.put_if(
                "error",
                Some(past.error.as_bytes()).filter(|it| !it.is_empty()),
            );
        }
        out.number("had", subscription.had.last());
    }
    if let Some(asked) = asked {
        put_asked(&mut out, asked, now);
    }
    Some(out.done())
}

fn put_terms(out: &mut Writer, terms: &Terms) {
    out.put("topic", terms.topic.given().as_bytes());
    if let Some(seal) = &terms.seal {
        let word = METHODS.iter().find(|(method, _)| *method == seal.method);
        out.put("method", word.map_or("", |(_, word)| word).as_bytes());
        out.put("secret", &seal.secret);
    }
    out.put_if("token", terms.token.as_deref());
    out.number("lease", terms.lease.as_secs());
    out.flag("renews", terms.renews);
    out.flag("local", terms.local);
    out.put("host", terms.host.as_bytes());
}

fn put_asked(out: &mut Writer, asked: &Verification, now: Now) {
    out.part(ASKED);
    out.put("mode", asked.mode().as_bytes());
    match &asked.terms {
        Some(terms) => put_terms(out, terms),
        None => {
            out.put("topic", asked.topic().as_bytes());
            out.put_if("token", asked.token());
            out.flag("local", asked.local);
        }
    }
    out.number("tries", asked.tries.into());
    match asked.step {
        Step::Unapproved | Step::Approval(_) => out.flag("approval", true),
        Step::Waiting { due, approval } => {
            out.flag("approval", approval);
            out.number("due", wall(now, due));
        }
        Step::Gated | Step::Out(_) => {}
    }
}

/// Reads a value; `None` if it is none that could have been written.
pub(in crate::hub) fn read(value: &[u8], now: Now) -> Option<Record> {
    let mut fields = Reader::of(value)?;
    let callback = Callback::parse("", fields.bytes("callback")?).ok()?;
    let terms = match fields.bytes("until") {
        Some(_) => Some(held(&fields, now)?),
        None => None,
    };
    let past = past(&fields);
    let had = fields.number("had");
    fields.part(ASKED);
    let asked = match fields.text("mode") {
        Some(mode) => Some(asked(&fields, mode, now)?),
        None => None,
    };
    (terms.is_some() || asked.is_some()).then_some(Record {
        callback,
        terms,
        asked,
        past,
        had,
    })
}

/// Terms that have not begun.
fn terms(fields: &Reader<'_>) -> Option<Terms> {
    let topic = TopicName::parse("", fields.bytes("topic")?).ok()?;
    let seal = match fields.bytes("secret") {
        Some(secret) => {
            let word = fields.text("method")?;
            let (method, _) = METHODS.iter().find(|(_, known)| *known == word)?;
            Some(Arc::new(Seal {
                method: *method,
                secret: secret.into(),
            }))
        }
        None => None,
    };
    Some(Terms {
        topic,
        seal,
        token: fields.bytes("token").map(Box::from),
        lease: seconds(fields.number("lease")),
        until: Mono::NEVER,
        ends: Wall(u64::MAX),
        renews: fields.flag("renews"),
        renew_at: Mono::NEVER,
        local: fields.flag("local"),
        host: fields.text("host")?.into(),
    })
}

/// Terms that were verified: they end when they would have ended. A clock that went back gives
/// nobody more than the whole lease.
fn held(fields: &Reader<'_>, now: Now) -> Option<Terms> {
    let mut terms = terms(fields)?;
    terms.ends = Wall(fields.number("until")).min(now.wall + terms.lease);
    terms.until = mono(now, terms.ends.0);
    if fields.bytes("renewal").is_some() {
        terms.renew_at = mono(now, fields.number("renewal")).min(terms.until);
    }
    Some(terms)
}

fn asked(fields: &Reader<'_>, mode: &str, now: Now) -> Option<Verification> {
    let mut asked = match mode {
        "subscribe" => {
            let terms = terms(fields)?;
            let local = terms.local;
            Verification::new(Some(terms), None, local)
        }
        "unsubscribe" => {
            let topic = TopicName::parse("", fields.bytes("topic")?).ok()?;
            let ended = (topic, fields.bytes("token").map(Box::from));
            Verification::new(None, Some(ended), fields.flag("local"))
        }
        _ => return None,
    };
    asked.tries = fields.small("tries");
    asked.step = Step::Waiting {
        due: mono(now, fields.number("due")),
        approval: fields.flag("approval"),
    };
    Some(asked)
}

fn past(fields: &Reader<'_>) -> Past {
    let word = fields.text("error").unwrap_or_default();
    let fault = FAULTS.iter().find(|fault| fault.as_str() == word);
    Past {
        last: Some(Wall(fields.number("last"))).filter(|last| last.0 > 0),
        status: u16::try_from(fields.number("status")).unwrap_or(0),
        error: fault.map_or("", |fault| fault.as_str()),
        failures: fields.small("failures"),
    }
}
