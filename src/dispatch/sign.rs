//! Signatures: Standard Webhooks and GitHub's scheme, and the keys they are made with.
//! A key is never shown: not in a log, not in an answer, not by `Debug`.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_PAD_INDIFFERENT};
use ring::hmac::{self, HMAC_SHA256};

use crate::http::write;

/// What a secret may be, in words.
pub const SECRET_FORM: &str = "whsec_ and 24 to 64 bytes in base64, up to 8 of them with spaces \
                               between, the current one first";
/// What a secret of GitHub's scheme may be, in words.
pub const GITHUB_SECRET_FORM: &str = "text of up to 256 bytes, or whsec_ and base64";
/// The schemes, in words.
pub const SCHEME_FORM: &str = "standard, github";

/// Keys that sign one message at most.
const KEYS_MAX: usize = 8;
/// Bytes of a literal secret at most.
const LITERAL_BYTES_MAX: usize = 256;
/// What marks a key in base64 (Standard Webhooks).
const PREFIX: &str = "whsec_";

/// How a delivery is signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scheme {
    /// `webhook-signature: v1,…` for each key, over `id.timestamp.body`.
    #[default]
    Standard,
    /// `X-Hub-Signature-256: sha256=…` with the first key, over the body.
    Github,
}

impl Scheme {
    /// The scheme of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Scheme> {
        match name {
            "standard" => Some(Scheme::Standard),
            "github" => Some(Scheme::Github),
            _ => None,
        }
    }
}

/// The text of one or more keys. It shows itself to nobody.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<str>);

impl Secret {
    /// Keeps the text.
    #[must_use]
    pub fn new(text: &str) -> Secret {
        Secret(text.into())
    }

    /// What signs with it.
    ///
    /// # Errors
    /// The complaint, to stand behind a name; it does not repeat the text.
    pub fn signer(&self, scheme: Scheme) -> Result<Signer, &'static str> {
        let mut keys = Vec::new();
        for word in self.0.split_ascii_whitespace() {
            if keys.len() == KEYS_MAX {
                return Err("has too many keys");
            }
            keys.push(key(word, scheme)?);
            if scheme == Scheme::Github {
                break;
            }
        }
        if keys.is_empty() {
            return Err("has no key");
        }
        let keys = keys.into();
        Ok(Signer { scheme, keys })
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret(…)")
    }
}

fn key(word: &str, scheme: Scheme) -> Result<hmac::Key, &'static str> {
    let Some(encoded) = word.strip_prefix(PREFIX) else {
        return match scheme {
            Scheme::Standard => Err("is no key: it does not begin with whsec_"),
            Scheme::Github if word.len() > LITERAL_BYTES_MAX => Err("is too long"),
            Scheme::Github => Ok(hmac::Key::new(HMAC_SHA256, word.as_bytes())),
        };
    };
    let bytes = STANDARD_PAD_INDIFFERENT.decode(encoded);
    let bytes = bytes.map_err(|_| "is no key: what follows whsec_ is not base64")?;
    match bytes.len() {
        24..=64 => Ok(hmac::Key::new(HMAC_SHA256, &bytes)),
        0..24 => Err("is too short a key"),
        _ => Err("is too long a key"),
    }
}

/// Keys made ready. A clone shares them.
#[derive(Clone)]
pub struct Signer {
    scheme: Scheme,
    keys: Arc<[hmac::Key]>,
}

impl Signer {
    /// The name of the field that carries the signature.
    #[must_use]
    pub fn field(&self) -> &'static str {
        match self.scheme {
            Scheme::Standard => "webhook-signature",
            Scheme::Github => "X-Hub-Signature-256",
        }
    }

    /// Appends the field's value for a message with that id and body, sent at `timestamp` (unix
    /// seconds). Nothing is allocated but what `out` needs to grow.
    pub fn write(&self, out: &mut Vec<u8>, id: &[u8], timestamp: u64, body: &[u8]) {
        match self.scheme {
            Scheme::Standard => {
                let start = out.len();
                write::number(out, timestamp);
                let mut digits = [0; 20];
                let len = out.len() - start;
                digits[..len].copy_from_slice(&out[start..]);
                out.truncate(start);
                for (place, key) in self.keys.iter().enumerate() {
                    let tag = tag(key, &[id, b".", &digits[..len], b".", body]);
                    out.extend_from_slice(if place == 0 { b"v1," } else { b" v1," });
                    base64(out, tag.as_ref());
                }
            }
            Scheme::Github => {
                if let Some(key) = self.keys.first() {
                    out.extend_from_slice(b"sha256=");
                    hex(out, tag(key, &[body]).as_ref());
                }
            }
        }
    }

    /// Bytes of memory held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.keys)
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Signer({:?}, {} keys)", self.scheme, self.keys.len())
    }
}

/// The same keys, not equal ones: nobody compares secrets.
impl PartialEq for Signer {
    fn eq(&self, other: &Signer) -> bool {
        self.scheme == other.scheme && Arc::ptr_eq(&self.keys, &other.keys)
    }
}

impl Eq for Signer {}

fn tag(key: &hmac::Key, parts: &[&[u8]]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    parts.iter().for_each(|part| context.update(part));
    context.sign()
}

fn base64(out: &mut Vec<u8>, tag: &[u8]) {
    let mut text = [0; 44];
    let len = STANDARD.encode_slice(tag, &mut text).unwrap_or(0);
    out.extend_from_slice(text.get(..len).unwrap_or_default());
}

/// Appends bytes in lower-case hexadecimal digits.
pub(super) fn hex(out: &mut Vec<u8>, tag: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in tag {
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 15)]);
    }
}

/// Keys by name, so that no secret has to travel with a request.
#[derive(Clone, Debug, Default)]
pub struct Keys(Vec<(Box<str>, Secret)>);

impl Keys {
    /// Adds a key; letters count in any case, `_` is `-`. A later one of the same name wins.
    ///
    /// # Errors
    /// The complaint, if the secret can sign under no scheme.
    pub fn add(&mut self, name: &str, secret: Secret) -> Result<(), &'static str> {
        secret.signer(Scheme::Github)?;
        let name = plain(name);
        self.0.retain(|(known, _)| *known != name);
        self.0.push((name, secret));
        Ok(())
    }

    /// The key of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Secret> {
        let name = plain(name);
        let found = self.0.iter().find(|(known, _)| *known == name);
        found.map(|(_, secret)| secret)
    }
}

fn plain(name: &str) -> Box<str> {
    name.to_ascii_lowercase().replace('_', "-").into()
}

#[cfg(test)]
mod tests;
