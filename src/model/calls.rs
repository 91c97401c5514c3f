//! Who calls out, what for, and what makes a call one of a hub: owner, callback, seal.
//! No behaviour.

use std::fmt;
use std::sync::Arc;

use super::{Target, Ticket};
use crate::base::slab::Key;
use crate::base::time::Mono;

/// Which of the rooms that call out wants a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Room {
    /// Deliveries.
    Dispatch,
    /// Verifications, denials, fetches.
    Hub,
}

/// Who wants a call: a room, and its own key for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Owner {
    /// The room.
    pub room: Room,
    /// The call, as that room knows it.
    pub key: Key,
}

/// What a call needs of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wants {
    /// The head decides the call; of the body so many bytes are kept, and named by the ticket when
    /// they come later than the head.
    Head(Ticket, usize),
    /// The call ends when the body is complete or has more bytes than this.
    Body(usize),
}

/// A verified subscriber of a topic, as a delivery needs it. Its callback is a target like any
/// other; the rest is what makes a request one of a hub (WebSub section 7).
#[derive(Clone, Debug)]
pub struct Callback {
    /// The subscription, as the hub knows it.
    pub subscription: Key,
    /// Its number, the same after a restart; never zero.
    pub number: u64,
    /// Where it goes.
    pub target: Arc<Target>,
    /// The value of the Link field.
    pub link: Arc<str>,
    /// What signs the body.
    pub seal: Option<Arc<Seal>>,
    /// When the subscription's lease ends, and with it every attempt.
    pub until: Mono,
    /// Whether only public addresses will do.
    pub strict: bool,
    /// Whether what goes there is all there is to say of the topic, so that what is newer makes it
    /// worthless.
    pub full: bool,
}

/// A subscriber's secret and the method it signs with (WebSub section 7.1).
pub struct Seal {
    /// The method as the field names it: sha1, sha256, sha384, sha512.
    pub method: SealMethod,
    /// The secret, as it came.
    pub secret: Box<[u8]>,
}

/// Methods of X-Hub-Signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealMethod {
    /// For subscribers of version 0.3.
    Sha1,
    /// The usual one.
    Sha256,
    /// On demand.
    Sha384,
    /// On demand.
    Sha512,
}

/// Without the secret.
impl fmt::Debug for Seal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Seal({:?})", self.method)
    }
}
