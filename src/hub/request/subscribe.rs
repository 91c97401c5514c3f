//! Reads what subscribes and unsubscribes.
//! It verifies nothing; what is asked for here is not yet so.

use std::sync::Arc;

use super::values::{Once, Values};
use super::{
    Lease, SECRET_BYTES_END, Subscribe, TOKEN_BYTES_MAX, Unsubscribe, Verify, missing, wrong,
};
use crate::http::problem::{Problem, Reason};
use crate::hub::name::{Callback, TopicName};
use crate::hub::settings::Leases;
use crate::model::{Seal, SealMethod};

const TOPIC_FORM: &str = "an absolute http or https URL, or a plain name";
const METHODS_FORM: &str = "sha1, sha256, sha384, sha512";

pub(super) fn subscribe(values: &Values<'_>, leases: &Leases) -> Result<Subscribe, Problem> {
    let (topic, callback) = names(values)?;
    let verify = verify(values)?;
    Ok(Subscribe {
        topic,
        callback,
        lease: lease(values.lease.first(), leases)?,
        seal: seal(values, &verify)?,
        verify,
    })
}

/// Lease and secret mean nothing here, garbage in them neither (checklist row 13).
pub(super) fn unsubscribe(values: &Values<'_>) -> Result<Unsubscribe, Problem> {
    let (topic, callback) = names(values)?;
    Ok(Unsubscribe {
        topic,
        callback,
        verify: verify(values)?,
    })
}

fn names(values: &Values<'_>) -> Result<(TopicName, Callback), Problem> {
    let topic = given(&values.topic, "hub.topic", TOPIC_FORM)?;
    let callback = given(
        &values.callback,
        "hub.callback",
        "an absolute http or https URL",
    )?;
    let topic = TopicName::parse("hub.topic", topic)?;
    Ok((topic, Callback::parse("hub.callback", callback)?))
}

fn given<'v>(once: &'v Once<'_>, parameter: &str, allowed: &str) -> Result<&'v [u8], Problem> {
    let value = once.one(parameter)?.filter(|value| !value.is_empty());
    value.ok_or_else(|| missing(parameter, allowed))
}

/// hub.md C1: only a `sync` beside nothing else that is known makes the answer wait.
fn verify(values: &Values<'_>) -> Result<Verify, Problem> {
    let separates = |byte: &u8| matches!(byte, b',' | b' ');
    let mut words = values.verify.iter().flat_map(|text| text.split(separates));
    let sync = words.clone().any(|word| word == b"sync") && words.all(|word| word != b"async");
    let token = values.token.first();
    if token.is_some_and(|token| token.len() > TOKEN_BYTES_MAX) {
        return Err(Problem::new(
            Reason::BadParameter,
            format!("hub.verify_token is too long; allowed: up to {TOKEN_BYTES_MAX} bytes"),
        ));
    }
    Ok(Verify {
        is_03: !values.verify.is_empty(),
        sync,
        token: token.map(Box::from),
    })
}

/// hub.md C8.
fn lease(text: Option<&[u8]>, leases: &Leases) -> Result<Lease, Problem> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(Lease {
            asked: None,
            granted: leases.granted(None),
        });
    };
    let digits = text.iter().all(u8::is_ascii_digit);
    let positive = text.iter().any(|digit| *digit != b'0');
    if !digits || !positive {
        return Err(wrong("hub.lease_seconds", text, "a whole number above 0"));
    }
    let number = text.iter().fold(0u64, |number, digit| {
        let digit = u64::from(digit.wrapping_sub(b'0'));
        number.saturating_mul(10).saturating_add(digit)
    });
    Ok(Lease {
        asked: Some(number),
        granted: leases.granted(Some(number)),
    })
}

/// hub.md C15, C16.
fn seal(values: &Values<'_>, verify: &Verify) -> Result<Option<Arc<Seal>>, Problem> {
    let method = method(values, verify)?;
    let Some(secret) = values.secret.one("hub.secret")?.filter(|it| !it.is_empty()) else {
        return Ok(None);
    };
    if secret.len() >= SECRET_BYTES_END {
        let (bytes, most) = (secret.len(), SECRET_BYTES_END - 1);
        return Err(Problem::new(
            Reason::BadParameter,
            format!("hub.secret has {bytes} bytes; allowed: up to {most}"),
        ));
    }
    Ok(Some(Arc::new(Seal {
        method,
        secret: secret.into(),
    })))
}

fn method(values: &Values<'_>, verify: &Verify) -> Result<SealMethod, Problem> {
    let said = values.signature_method.first().unwrap_or_default();
    if !said.is_empty() {
        return known(said).ok_or_else(|| wrong("hub.signature_method", said, METHODS_FORM));
    }
    let mut listed = values
        .hash_algorithms
        .first()
        .unwrap_or_default()
        .split(|b| *b == b',');
    let usual = match verify.is_03 {
        true => SealMethod::Sha1,
        false => SealMethod::Sha256,
    };
    Ok(listed.find_map(known).unwrap_or(usual))
}

fn known(word: &[u8]) -> Option<SealMethod> {
    match word.trim_ascii().to_ascii_lowercase().as_slice() {
        b"sha1" => Some(SealMethod::Sha1),
        b"sha256" => Some(SealMethod::Sha256),
        b"sha384" => Some(SealMethod::Sha384),
        b"sha512" => Some(SealMethod::Sha512),
        _ => None,
    }
}
