//! A topic's subscriber as its deliveries need it, and what signs them.
//! No behaviour; the secret is never shown.

use std::fmt;
use std::sync::Arc;

use super::Target;
use crate::base::slab::Key;
use crate::base::time::Mono;

/// A verified subscriber of a topic, as a delivery needs it. Its callback is a target like any
/// other; the rest is what makes a request one of a hub (WebSub section 7).
#[derive(Clone, Debug)]
pub struct Callback {
    /// The subscription, as the hub knows it.
    pub subscription: Key,
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
