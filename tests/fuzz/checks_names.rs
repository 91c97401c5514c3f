//! The check for messages of name servers.

#[path = "plain_dns.rs"]
mod plain_dns;

use std::net::IpAddr;
use std::time::Duration;

use hookah::courier::dns::message::{Answer, Family, answer, question};

/// What is asked in every file of the corpus.
const NAME: &str = "hook.test";
const ID: u16 = 0x4242;

/// Answers of name servers, beside a second reader of them: never more addresses than are taken,
/// every address stands in the bytes, and nothing that has another id, another question or a cut
/// inside its records is an answer.
pub fn dns_message(data: &[u8]) {
    for family in [Family::V4, Family::V6] {
        let asked = question(ID, NAME, family).expect("a name");
        let Some(said) = answer(data, ID, NAME, family) else {
            continue;
        };
        assert_eq!(data[..2], ID.to_be_bytes(), "another id");
        assert_eq!(data[2] & 0xf8, 0x80, "no answer to a standard query");
        assert_eq!(data[4..6], [0, 1], "not one question");
        let echoed = &data[12..asked.len()];
        assert!(
            echoed.eq_ignore_ascii_case(&asked[12..]),
            "another question: {echoed:?}"
        );
        let mut other = data.to_vec();
        other[1] ^= 1;
        assert_eq!(answer(&other, ID, NAME, family), None, "another id");
        assert_eq!(answer(data, ID, "look.test", family), None, "another name");
        let kind = if family == Family::V4 { 1 } else { 28 };
        // The second reader is the stricter one; where it can read, they agree.
        let second = plain_dns::addresses(data, NAME, kind);
        match said {
            Answer::Addrs(addrs, ttl) => {
                addresses(data, &addrs, ttl, family);
                let ours = (addrs, ttl.as_secs() as u32);
                assert!(second.is_none_or(|it| it == ours), "not {ours:?}");
            }
            Answer::Empty => assert!(second.is_none_or(|it| it.0.is_empty())),
            Answer::NoName | Answer::Truncated | Answer::Failed(_) => {}
        }
    }
}

fn addresses(data: &[u8], addrs: &[IpAddr], ttl: Duration, family: Family) {
    assert!((1..=64).contains(&addrs.len()), "{} addresses", addrs.len());
    assert!(ttl <= Duration::from_secs(i32::MAX as u64), "{ttl:?}");
    for addr in addrs {
        let stands = match addr {
            IpAddr::V4(addr) => data.windows(4).any(|at| at == addr.octets()),
            IpAddr::V6(addr) => data.windows(16).any(|at| at == addr.octets()),
        };
        assert!(stands, "{addr} came from nowhere");
        assert_eq!(
            addr.is_ipv6(),
            family == Family::V6,
            "{addr} was not asked for"
        );
    }
    // Whatever is behind the answers changes nothing.
    let longer = [data, b"\xff\xff"].concat();
    assert_eq!(
        answer(&longer, ID, NAME, family),
        Some(Answer::Addrs(addrs.to_vec(), ttl))
    );
}
