//! How far a delivery's attempt has been sent on from its target.
//! It decides nothing: where a Location leads is `http`'s part, how often one is followed the
//! delivery's own options'.

use std::sync::Arc;

use crate::base::time::Mono;
use crate::model::Target;

pub(super) use crate::http::redirect::{redirects, resolve};

/// How far an attempt has been sent on.
#[derive(Debug)]
pub(super) struct Hop {
    /// Where it goes now.
    pub(super) target: Arc<Target>,
    /// It has left its first target's origin: credentials and signatures stay behind, also if it
    /// comes back.
    pub(super) stripped: bool,
    /// Hops so far.
    pub(super) count: u8,
    /// The attempt's deadline; all hops share it.
    pub(super) until: Mono,
}

impl Hop {
    /// Bytes of memory that it holds.
    pub(super) fn bytes(&self) -> u64 {
        (size_of::<Hop>() + size_of::<Target>() + self.target.bytes()) as u64
    }
}
