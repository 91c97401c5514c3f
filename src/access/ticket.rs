//! Tickets: a query that lets whoever has it read one topic until a time, signed by an
//! application that has a token. It is read and checked here; nothing about it is stored.
//!
//! What is signed is the time as it stands in the query, a line feed and the topic's bytes. The key
//! is the SHA-256 of the token's secret, so that the roll is enough to check it.

use std::borrow::Cow;

use ring::hmac;

use super::roll::Hash;
use crate::base::time::Wall;
use crate::http::form::{self, Field};

/// What a query says of its ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket<'a> {
    /// The one topic.
    pub topic: Cow<'a, [u8]>,
    /// The name of the token that signed it.
    pub key: Cow<'a, [u8]>,
    /// The time as it was signed, in unix seconds.
    exp: Cow<'a, [u8]>,
    sig: Hash,
}

impl<'a> Ticket<'a> {
    /// Reads the ticket of a query; `None` if a part is missing, repeated or malformed, or if the
    /// query asks for more than one topic.
    pub fn read(fields: impl Iterator<Item = Field<'a>>) -> Option<Ticket<'a>> {
        let [mut topic, mut key, mut exp, mut sig] = [const { None }; 4];
        for field in fields {
            let name = form::decode(field.name);
            let place = match &*name {
                b"topic" => &mut topic,
                b"key" => &mut key,
                b"exp" => &mut exp,
                b"sig" => &mut sig,
                b"prefix" => return None,
                name if name.starts_with(b"where.") => return None,
                _ => continue,
            };
            if place.replace(form::decode(field.value)).is_some() {
                return None;
            }
        }
        let exp = exp.filter(|exp: &Cow<'_, [u8]>| exp.iter().all(u8::is_ascii_digit))?;
        Some(Ticket {
            topic: topic?,
            key: key?,
            exp,
            sig: super::roll::hash(std::str::from_utf8(&sig?).ok()?)?,
        })
    }

    /// When it ends, if that can be told.
    #[must_use]
    pub fn until(&self) -> Option<Wall> {
        let seconds: u64 = std::str::from_utf8(&self.exp).ok()?.parse().ok()?;
        // A time that no clock will ever show is as good as none.
        Some(Wall(seconds.saturating_mul(1_000_000)))
    }

    /// Whether it was signed with the secret of that hash, in constant time.
    #[must_use]
    pub fn is_signed_by(&self, hash: &Hash) -> bool {
        let key = hmac::Key::new(hmac::HMAC_SHA256, hash);
        let text = [&*self.exp, b"\n", &*self.topic].concat();
        hmac::verify(&key, &text, &self.sig).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Option<Ticket<'_>> {
        Ticket::read(form::fields(query.as_bytes()))
    }

    /// The secret `hk_secret`, by `printf %s hk_secret | sha256sum`; the signature by
    /// `printf '%s\n%s' 1763880000 'a b' | openssl dgst -sha256 -mac HMAC -macopt hexkey:…`.
    const HASH: &str = "7c09c7e6b1f9fc509e6fdd7354a6b3ee3c7c23e8f307ca5e483e735e89688a4d";
    const QUERY: &str = "topic=a%20b&exp=1763880000&key=web&sig=\
                         592e166779e307030304d57c26a232d3e663ce4b281d5697346d3c0eb2d0e8cd";

    #[test]
    fn a_ticket_that_openssl_signed_is_right() {
        let hash = crate::access::roll::hash(HASH).expect("a hash");
        let ticket = read(QUERY).expect("a ticket");
        assert_eq!((&*ticket.topic, &*ticket.key), (&b"a b"[..], &b"web"[..]));
        assert_eq!(ticket.until(), Some(Wall(1_763_880_000_000_000)));
        assert!(ticket.is_signed_by(&hash));
        assert!(!ticket.is_signed_by(&[0; 32]));
        let plus = QUERY.replace("%20", "+").replace("sig=", "sig%3d");
        assert!(read(&plus).is_none());
        for (from, to) in [("a%20b", "a%20c"), ("exp=1", "exp=2"), ("exp=1", "exp=01")] {
            let other = QUERY.replace(from, to);
            let ticket = read(&other).expect("a ticket of the right form");
            assert!(!ticket.is_signed_by(&hash), "{other}");
        }
        let upper = QUERY.to_uppercase().replace("TOPIC=A%20B", "topic=a%20b");
        let upper = upper.replace("EXP=", "exp=").replace("KEY=WEB", "key=web");
        let upper = upper.replace("SIG=", "sig=");
        assert!(read(&upper).is_some_and(|ticket| ticket.is_signed_by(&hash)));
    }

    #[test]
    fn what_asks_for_more_than_one_topic_is_no_ticket() {
        for more in [
            "&topic=b",
            "&prefix=",
            "&prefix=a",
            "&where.a=b",
            "&%74opic=b",
            "&exp=1",
            "&key=web",
            "&sig=00",
        ] {
            assert!(read(&format!("{QUERY}{more}")).is_none(), "{more}");
        }
        for missing in ["topic=a%20b&", "exp=1763880000&", "key=web&"] {
            assert!(read(&QUERY.replace(missing, "")).is_none(), "{missing}");
        }
        for (from, to) in [("exp=1", "exp=-1"), ("exp=1", "exp=1."), ("sig=", "sig=0")] {
            assert!(read(&QUERY.replace(from, to)).is_none(), "{to}");
        }
        assert!(read(&format!("{QUERY}&format=sse&since=all")).is_some());
        let late = QUERY.replace("exp=", "exp=99999999999999999999");
        assert!(read(&late).is_some_and(|ticket| ticket.until().is_none()));
    }
}
