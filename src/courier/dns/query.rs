//! One lookup: which names are tried, what is known of each family, and when it has come to an end.
//! It sends nothing; the resolver carries out its steps.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::base::slab::Key;
use crate::base::time::Mono;

use super::message::{Answer, Family};

/// The families, in the order in which their addresses are tried: where there is no way to one kind
/// of address, IPv4 is the rarer to be missing.
pub(super) const FAMILIES: [Family; 2] = [Family::V4, Family::V6];

/// Where one family stands.
///
/// ```text
/// Open ─▶ Found      (addresses)
///   │ ──▶ Nothing    (the name does not exist, or has none of these)
///   └───▶ Broken     (no server could say)
/// ```
#[derive(Debug)]
pub(super) enum Half {
    /// Exchanges are under way or to come; so many have begun.
    Open { tries: u32 },
    /// Addresses, and how long they may be kept.
    Found(Vec<IpAddr>, Duration),
    /// Nothing, in one word.
    Nothing(&'static str),
    /// Not known, in one word.
    Broken(&'static str),
}

/// What follows when a lookup has no open half left.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Addresses, and how long they may be kept.
    Found(Arc<[IpAddr]>, Duration),
    /// No name that was tried has an address.
    Negative(&'static str),
    /// Nobody could say.
    Failed(&'static str),
    /// This name is tried next.
    Next(Box<str>),
}

/// A lookup under way.
#[derive(Debug)]
pub(super) struct Query {
    /// The name as it was asked for.
    pub(super) name: Box<str>,
    /// The name that is being tried.
    pub(super) trying: Box<str>,
    /// Names still to be tried, the next one last.
    left: Vec<Box<str>>,
    /// Who waits for it.
    pub(super) waiters: Vec<Key>,
    /// The end of all waiting.
    pub(super) until: Mono,
    /// The exchanges under way, by family.
    pub(super) exchanges: [Option<Key>; 2],
    pub(super) halves: [Half; 2],
    /// What the names tried so far came to.
    negative: &'static str,
    failure: Option<&'static str>,
}

impl Query {
    /// A lookup of `name` for `waiter`; it tries nothing until `begin`.
    pub(super) fn new(name: &str, waiter: Key, until: Mono) -> Query {
        Query {
            name: name.into(),
            trying: Box::default(),
            left: Vec::new(),
            waiters: vec![waiter],
            until,
            exchanges: [None; 2],
            halves: [Half::Open { tries: 0 }, Half::Open { tries: 0 }],
            negative: "nxdomain",
            failure: None,
        }
    }

    /// The names that are to be tried, in this order.
    pub(super) fn begin(&mut self, mut candidates: Vec<Box<str>>) {
        candidates.reverse();
        self.left = candidates;
        self.trying = self.left.pop().unwrap_or_default();
    }

    /// One more exchange of a family begins; how many there were before it.
    pub(super) fn try_again(&mut self, half: usize) -> u32 {
        match &mut self.halves[half] {
            Half::Open { tries } => {
                *tries += 1;
                *tries - 1
            }
            _ => 0,
        }
    }

    /// Whether another exchange of a family would be worth waiting for: the other has nothing yet.
    pub(super) fn may_try(&self, half: usize) -> bool {
        !matches!(self.halves[1 - half], Half::Found(..))
    }

    /// A server's last word about a family.
    pub(super) fn settle(&mut self, half: usize, answer: Answer) {
        self.halves[half] = match answer {
            Answer::Addrs(addrs, ttl) => Half::Found(addrs, ttl),
            Answer::Empty => Half::Nothing("no_address"),
            Answer::NoName => Half::Nothing("nxdomain"),
            Answer::Truncated => Half::Broken("bad_answer"),
            Answer::Failed(detail) => Half::Broken(detail),
        };
    }

    /// Whether both families have come to an end, and what follows.
    ///
    /// That one family's answer says the name does not exist ends nothing by itself: some servers
    /// say so of every AAAA record.
    pub(super) fn end(&mut self) -> Option<End> {
        if self
            .halves
            .iter()
            .any(|half| matches!(half, Half::Open { .. }))
        {
            return None;
        }
        let mut found: Option<(Vec<IpAddr>, Duration)> = None;
        let mut exists = false;
        for half in &mut self.halves {
            match std::mem::replace(half, Half::Open { tries: 0 }) {
                Half::Found(addrs, ttl) => match &mut found {
                    Some((all, least)) => {
                        all.extend(addrs);
                        *least = ttl.min(*least);
                    }
                    None => found = Some((addrs, ttl)),
                },
                Half::Nothing(detail) => exists |= detail == "no_address",
                Half::Broken(detail) => self.failure = self.failure.or(Some(detail)),
                Half::Open { .. } => {}
            }
        }
        if let Some((addrs, ttl)) = found {
            return Some(End::Found(addrs.into(), ttl));
        }
        if exists {
            self.negative = "no_address";
        }
        // Who does not answer for one name does not for the next.
        let silent = self.failure.is_some_and(is_silence);
        Some(match (self.left.pop(), self.failure) {
            (Some(next), _) if !silent => {
                self.trying = next.clone();
                End::Next(next)
            }
            (_, Some(detail)) => End::Failed(detail),
            (_, None) => End::Negative(self.negative),
        })
    }
}

/// Whether that word means that no server was heard.
fn is_silence(detail: &str) -> bool {
    matches!(detail, "dns_timeout" | "no_server")
}
