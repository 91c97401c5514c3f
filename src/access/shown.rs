//! What a request shows of itself: the secret of a token, or a ticket. It believes nothing and
//! compares nothing.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_PAD_INDIFFERENT;

use super::ticket::Ticket;
use crate::http::form;

/// Bytes of a secret that are looked at; nobody has a longer one.
const SECRET_BYTES_MAX: usize = 1_024;

/// Where a request may show who it comes from.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// The Authorization field.
    pub authorization: Option<&'a [u8]>,
    /// Whether it stands there more than once.
    pub repeated: bool,
    /// The query, where a token or a ticket may stand in it.
    pub query: Option<&'a str>,
    /// Whether that may be a ticket, which is for one who only gets something.
    pub signed: bool,
}

/// What it shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shown<'a> {
    Nothing,
    Secret(Cow<'a, [u8]>),
    Ticket(Ticket<'a>),
    /// Credentials of a kind that is not taken here, or that cannot be read.
    Wrong,
}

impl<'a> Claim<'a> {
    /// The header wins over the query, and in the query a token over a ticket.
    pub(super) fn read(&self) -> Shown<'a> {
        match self.authorization {
            Some(_) if self.repeated => Shown::Wrong,
            Some(field) => header(field),
            None => self
                .query
                .map_or(Shown::Nothing, |it| query(it, self.signed)),
        }
    }
}

/// RFC 6750 section 2.1, RFC 7617: the scheme in any case, and after it the token; with Basic it
/// is the password, and the user is whatever one likes.
fn header(field: &[u8]) -> Shown<'_> {
    let field = field.trim_ascii();
    let end = field.iter().position(|byte| *byte == b' ');
    let (scheme, rest) = field.split_at(end.unwrap_or(field.len()));
    let rest = rest.trim_ascii();
    if scheme.eq_ignore_ascii_case(b"bearer") {
        return secret(Cow::Borrowed(rest));
    }
    if scheme.eq_ignore_ascii_case(b"basic") && rest.len() <= 2 * SECRET_BYTES_MAX {
        let pair = STANDARD_PAD_INDIFFERENT.decode(rest).unwrap_or_default();
        let colon = pair.iter().position(|byte| *byte == b':');
        let password = colon.and_then(|colon| pair.get(colon + 1..));
        return password.map_or(Shown::Wrong, |it| secret(Cow::Owned(it.to_vec())));
    }
    Shown::Wrong
}

fn query(query: &str, may_be_signed: bool) -> Shown<'_> {
    let fields = || form::fields(query.as_bytes());
    let mut signed = false;
    for field in fields() {
        match &*form::decode(field.name) {
            b"token" | b"access_token" => return secret(form::decode(field.value)),
            b"sig" => signed = true,
            _ => {}
        }
    }
    match signed {
        true if !may_be_signed => Shown::Wrong,
        true => Ticket::read(fields()).map_or(Shown::Wrong, Shown::Ticket),
        false => Shown::Nothing,
    }
}

fn secret(text: Cow<'_, [u8]>) -> Shown<'_> {
    match (1..=SECRET_BYTES_MAX).contains(&text.len()) {
        true => Shown::Secret(text),
        false => Shown::Wrong,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown<'a>(authorization: Option<&'a str>, query: Option<&'a str>) -> Shown<'a> {
        let claim = Claim {
            authorization: authorization.map(str::as_bytes),
            repeated: false,
            query,
            signed: true,
        };
        claim.read()
    }

    fn some(text: &str) -> Shown<'_> {
        Shown::Secret(Cow::Borrowed(text.as_bytes()))
    }

    #[test]
    fn each_header_shows_its_secret() {
        let rows = [
            ("Bearer hk_abc", some("hk_abc")),
            ("bEARER   hk_abc ", some("hk_abc")),
            ("Basic Y2k6aGtfYWJj", some("hk_abc")),
            ("basic OmhrX2FiYw==", some("hk_abc")),
            ("Basic OmhrX2E6Yg", some("hk_a:b")),
            ("Basic Y2k6", Shown::Wrong),
            ("Basic Y2k", Shown::Wrong),
            ("Basic %%%", Shown::Wrong),
            ("Bearer", Shown::Wrong),
            ("Bearer ", Shown::Wrong),
            ("hk_abc", Shown::Wrong),
            ("Digest username=x", Shown::Wrong),
            ("", Shown::Wrong),
        ];
        for (field, right) in rows {
            assert_eq!(shown(Some(field), Some("token=other")), right, "{field}");
        }
        let long = format!("Bearer {}", "a".repeat(SECRET_BYTES_MAX + 1));
        assert_eq!(shown(Some(&long), None), Shown::Wrong);
        let twice = Claim {
            authorization: Some(b"Bearer a"),
            repeated: true,
            query: None,
            signed: true,
        };
        assert_eq!(twice.read(), Shown::Wrong);
    }

    #[test]
    fn each_query_shows_its_secret() {
        let rows = [
            ("token=hk_abc", some("hk_abc")),
            ("topic=a&access_token=hk_abc", some("hk_abc")),
            ("%74oken=hk%5Fabc", some("hk_abc")),
            ("token=a&sig=00", some("a")),
            ("token=", Shown::Wrong),
            ("topic=a", Shown::Nothing),
            ("Token=a", Shown::Nothing),
            ("sig=00", Shown::Wrong),
        ];
        for (query, right) in rows {
            assert_eq!(shown(None, Some(query)), right, "{query}");
        }
        assert_eq!(shown(None, None), Shown::Nothing);
    }
}
