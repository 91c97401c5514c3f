//! DNS messages (RFC 1035 section 4): a question's bytes, and what an answer says to it.
//! It keeps nothing and trusts nothing: what does not answer the question is no answer at all.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, OPCODE, Packet, PacketFlag, QTYPE, Question, RCODE, TYPE};
use simple_dns::{ResourceRecord, header_buffer};

/// Names that stand for the one before them.
const ALIASES_MAX: usize = 8;
/// Addresses taken from one answer.
const ADDRS_MAX: usize = 64;
/// Bytes of a header, and the fewest that a question and a record can have.
const HEADER_BYTES: usize = 12;
const QUESTION_BYTES_MIN: usize = 5;
const RECORD_BYTES_MIN: usize = 11;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// A records.
    V4,
    /// AAAA records.
    V6,
}

impl Family {
    fn kind(self) -> TYPE {
        match self {
            Family::V4 => TYPE::A,
            Family::V6 => TYPE::AAAA,
        }
    }
}

/// What a server says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// These addresses, at least one, and how long they may be kept.
    Addrs(Vec<IpAddr>, Duration),
    /// The name exists and has no such address.
    Empty,
    /// The name does not exist.
    NoName,
    /// More than a datagram holds: to be asked over TCP.
    Truncated,
    /// The server cannot say, in one word.
    Failed(&'static str),
}

/// The bytes of a question; `None` if the name cannot be asked for.
#[must_use]
pub fn question(id: u16, name: &str, family: Family) -> Option<Box<[u8]>> {
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    let kind = QTYPE::TYPE(family.kind());
    let name = Name::new(name).ok()?;
    packet
        .questions
        .push(Question::new(name, kind, CLASS::IN.into(), false));
    packet.build_bytes_vec().ok().map(Vec::into_boxed_slice)
}

/// What `bytes` answer to that question. `None` if they are something else, or no message: they may
/// be anybody's, and the real answer may still come.
#[must_use]
pub fn answer(bytes: &[u8], id: u16, name: &str, family: Family) -> Option<Answer> {
    let answers = usize::from(header_buffer::answers(bytes).ok()?);
    let cut = header_buffer::has_flags(bytes, PacketFlag::TRUNCATION).ok()?;
    // Of what stands behind the answers nothing is wanted, so nothing in it can be wrong; and a
    // count is believed only if so many records fit.
    let records_max =
        bytes.len().checked_sub(HEADER_BYTES + QUESTION_BYTES_MIN)? / RECORD_BYTES_MIN;
    let answers = if cut { 0 } else { answers };
    if answers > records_max || header_buffer::questions(bytes).ok()? != 1 {
        return None;
    }
    let mut bytes = bytes.to_vec();
    let counts = bytes.get_mut(6..HEADER_BYTES)?;
    counts.fill(0);
    let [high, low] = (answers as u16).to_be_bytes();
    (counts[0], counts[1]) = (high, low);
    let packet = Packet::parse(&bytes).ok()?;
    if !answers_it(&packet, &bytes, &question(id, name, family)?) {
        return None;
    }
    let name = Name::new(name).ok()?;
    Some(match packet.rcode() {
        _ if cut => Answer::Truncated,
        RCODE::NoError => follow(&packet.answers, name, family),
        RCODE::NameError => Answer::NoName,
        RCODE::ServerFailure => Answer::Failed("servfail"),
        RCODE::Refused => Answer::Failed("refused_name"),
        _ => Answer::Failed("bad_answer"),
    })
}

/// Whether a message carries the id, the question as it was asked (a server may spell the name in
/// capitals), and says that it answers.
fn answers_it(packet: &Packet<'_>, bytes: &[u8], asked: &[u8]) -> bool {
    let echoed = bytes.get(HEADER_BYTES..asked.len());
    let question = asked.get(HEADER_BYTES..).unwrap_or_default();
    bytes.get(..2) == asked.get(..2)
        && echoed.is_some_and(|echoed| echoed.eq_ignore_ascii_case(question))
        && packet.has_flags(PacketFlag::RESPONSE)
        && packet.opcode() == OPCODE::StandardQuery
}

/// From the name asked for, over its aliases, to addresses.
fn follow(records: &[ResourceRecord<'_>], name: Name<'_>, family: Family) -> Answer {
    let (mut name, mut ttl) = (&name, u32::MAX);
    for _ in 0..=ALIASES_MAX {
        let of_name = || {
            records
                .iter()
                .filter(|record| record.name == *name && record.class == CLASS::IN)
        };
        let found = || of_name().filter_map(|record| Some((address(record, family)?, record)));
        let addrs: Vec<IpAddr> = found().map(|(at, _)| at).take(ADDRS_MAX).collect();
        if !addrs.is_empty() {
            let ttls = found().map(|(_, record)| plain_ttl(record.ttl));
            let ttl = ttls.min().unwrap_or(0).min(ttl);
            return Answer::Addrs(addrs, Duration::from_secs(ttl.into()));
        }
        let alias = of_name().find_map(|record| match &record.rdata {
            RData::CNAME(alias) => Some((&alias.0, plain_ttl(record.ttl))),
            _ => None,
        });
        let Some((next, alias_ttl)) = alias else {
            return Answer::Empty;
        };
        (name, ttl) = (next, ttl.min(alias_ttl));
    }
    Answer::Failed("alias_loop")
}

fn address(record: &ResourceRecord<'_>, family: Family) -> Option<IpAddr> {
    match (&record.rdata, family) {
        (RData::A(at), Family::V4) => Some(Ipv4Addr::from(at.address).into()),
        (RData::AAAA(at), Family::V6) => Some(Ipv6Addr::from(at.address).into()),
        _ => None,
    }
}

/// A time to live with its highest bit set counts as none (RFC 2181 section 8).
fn plain_ttl(ttl: u32) -> u32 {
    if ttl > i32::MAX as u32 { 0 } else { ttl }
}

#[cfg(test)]
mod tests;
