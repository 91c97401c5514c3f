//! What makes a delivery one to a subscriber: its subscription, what its request says besides, and
//! how often it is tried. It knows nothing of verifications.

use std::sync::Arc;
use std::time::Duration;

use super::retry::Schedule;
use crate::base::slab::Key;
use crate::base::time::Mono;
use crate::http::target;
use crate::model::{Callback, Ending, Outcome, Seal};

/// How often notices are tried (hub.md C29).
#[derive(Clone, Debug)]
pub struct Settings {
    /// The wait before each retry.
    pub schedule: Schedule,
    /// Random part of each wait, in per cent either way.
    pub jitter_percent: u32,
    /// The whole exchange of one attempt.
    pub timeout: Duration,
    /// Age at which one is given up, if its lease lasts so long.
    pub expires: Duration,
}

impl Default for Settings {
    fn default() -> Settings {
        const SECONDS: [u64; 7] = [10, 60, 300, 1_800, 7_200, 21_600, 43_200];
        Settings {
            schedule: Schedule::of_seconds(&SECONDS),
            jitter_percent: 10,
            timeout: Duration::from_secs(30),
            expires: Duration::from_secs(24 * 3_600),
        }
    }
}

/// What a delivery to a subscriber has besides.
#[derive(Debug)]
pub(super) struct Notice {
    /// The subscription.
    pub(super) subscription: Key,
    /// Its number, the same after a restart.
    pub(super) number: u64,
    /// The value of the Link field.
    pub(super) link: Arc<str>,
    /// What signs the body.
    pub(super) seal: Option<Arc<Seal>>,
    /// The end of the lease: no attempt begins after it.
    pub(super) until: Mono,
    /// It is all there is to say of its topic.
    pub(super) full: bool,
    /// Its turn has come.
    pub(super) released: bool,
    /// When its turn has come, it waits until then all the same: it failed before a restart.
    pub(super) put_off: Mono,
}

impl Notice {
    pub(super) fn of(callback: &Callback) -> Notice {
        Notice {
            subscription: callback.subscription,
            number: callback.number,
            link: Arc::clone(&callback.link),
            seal: callback.seal.clone(),
            until: callback.until,
            full: callback.full,
            released: false,
            put_off: Mono::default(),
        }
    }

    /// The subscription was verified anew: what holds now goes for what waits, too.
    pub(super) fn renew(&mut self, callback: &Callback) {
        self.link = Arc::clone(&callback.link);
        self.seal.clone_from(&callback.seal);
        self.until = callback.until;
    }

    /// What it is charged for, in bytes.
    pub(super) fn bytes(&self) -> u64 {
        charge(&self.link, self.seal.as_deref())
    }
}

/// The lane in which it waits: that of its subscription, where the order counts. One that is put
/// off by its publisher takes no part in that order until it is due, and waits in its origin's
/// lane.
pub(super) fn lane(callback: &Callback, delay: Duration) -> u64 {
    if !delay.is_zero() {
        return callback.target.lane;
    }
    let mut name = *b"subscription:--------";
    if let Some((_, number)) = name.split_last_chunk_mut::<8>() {
        *number = callback.number.to_be_bytes();
    }
    target::lane(&name)
}

/// What a callback's notice is charged for besides its delivery, in bytes.
pub(super) fn bytes(callback: &Callback) -> u64 {
    charge(&callback.link, callback.seal.as_deref())
}

/// The link and the seal are the subscription's own, but it may end before the notice does.
fn charge(link: &str, seal: Option<&Seal>) -> u64 {
    let seal = seal.map_or(0, |seal| size_of::<Seal>() + seal.secret.len());
    (size_of::<Notice>() + link.len() + seal) as u64
}

/// Judges the ending of an attempt (hub.md A6, C29): any 2xx delivers, 410 is final. Everything
/// else is a failure like any other, also a redirect and an address that is forbidden: a
/// subscriber can repair each of them while its lease lasts. `None` to try again.
pub(super) fn verdict(ending: &Ending) -> Option<Outcome> {
    match ending {
        Ending::Answer {
            status: 200..=299, ..
        } => Some(Outcome::Delivered),
        Ending::Answer { status: 410, .. } => Some(Outcome::Failed),
        Ending::Answer { .. } | Ending::Fault { .. } => None,
    }
}
