//! A second reader of DNS messages (RFC 1035 section 4), for the differential check: octet by
//! octet, with nothing of Hookah's and nothing of the library that Hookah reads them with.

use std::net::IpAddr;

/// A record of the answer section.
struct Record {
    name: Vec<u8>,
    kind: u16,
    class: u16,
    ttl: u32,
    /// Where its data begins, and how long it is.
    data: (usize, usize),
}

/// What an answer to one question gives: the addresses of that kind (1 is A, 28 AAAA) for `name`,
/// over at most eight aliases, and for how many seconds. An empty list if it gives none; `None` if
/// the message cannot be read.
pub fn addresses(bytes: &[u8], name: &str, kind: u16) -> Option<(Vec<IpAddr>, u32)> {
    let records = records(bytes)?;
    let mut wanted = Vec::new();
    for label in name.to_ascii_lowercase().split('.') {
        wanted.push(label.len() as u8);
        wanted.extend(label.bytes());
    }
    let mut least = u32::MAX;
    for _ in 0..9 {
        // The highest bit of a class is another thing (RFC 6762 section 10.2), and not looked at.
        let of_name = |it: &&Record| it.name == wanted && it.class & 0x7fff == 1;
        let mut found = Vec::new();
        for record in records.iter().filter(of_name).filter(|it| it.kind == kind) {
            let (at, length) = record.data;
            let data = bytes.get(at..at + length)?;
            // An address of no octets is none, and of too many its first ones count, as with the
            // library; of too few, it is no message.
            if data.is_empty() {
                continue;
            }
            let data = data.get(..if kind == 1 { 4 } else { 16 })?;
            let addr = match kind {
                1 => IpAddr::from(<[u8; 4]>::try_from(data).ok()?),
                _ => IpAddr::from(<[u8; 16]>::try_from(data).ok()?),
            };
            least = least.min(plain(record.ttl));
            found.push(addr);
        }
        if !found.is_empty() {
            found.truncate(64);
            return Some((found, least));
        }
        // Of no octets it is no alias.
        let alias = |it: &&Record| it.kind == 5 && it.data.1 > 0;
        let alias = records.iter().filter(of_name).find(alias);
        let Some(alias) = alias else { break };
        least = least.min(plain(alias.ttl));
        wanted = read_name(bytes, alias.data.0)?.0;
    }
    Some((Vec::new(), 0))
}

/// The highest bit makes it nothing (RFC 2181 section 8).
fn plain(ttl: u32) -> u32 {
    if ttl >> 31 == 1 { 0 } else { ttl }
}

fn records(bytes: &[u8]) -> Option<Vec<Record>> {
    let (_, question) = read_name(bytes, 12)?;
    let mut at = question + 4;
    let mut records = Vec::new();
    for _ in 0..number(bytes, 6)? {
        let (name, after) = read_name(bytes, at)?;
        let high = u32::from(number(bytes, after + 4)?);
        let low = u32::from(number(bytes, after + 6)?);
        let length = usize::from(number(bytes, after + 8)?);
        bytes.get(after + 10..after + 10 + length)?;
        records.push(Record {
            name,
            kind: number(bytes, after)?,
            class: number(bytes, after + 2)?,
            ttl: high << 16 | low,
            data: (after + 10, length),
        });
        at = after + 10 + length;
    }
    Some(records)
}

fn number(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]))
}

/// A name's labels in small letters, each behind its length, for a label may have a dot in it; and
/// where what follows the name begins.
fn read_name(bytes: &[u8], mut at: usize) -> Option<(Vec<u8>, usize)> {
    let (mut name, mut after) = (Vec::new(), None);
    for _ in 0..256 {
        let length = *bytes.get(at)?;
        match length >> 6 {
            0 if length == 0 => return Some((name, after.unwrap_or(at + 1))),
            0 => {
                let label = bytes.get(at + 1..at + 1 + usize::from(length))?;
                name.push(length);
                name.extend(label.to_ascii_lowercase());
                at += 1 + usize::from(length);
            }
            3 => {
                after.get_or_insert(at + 2);
                at = usize::from(number(bytes, at)? & 0x3fff);
            }
            _ => return None,
        }
    }
    None
}
