//! Targets that were called before: each distinct text of a URL is parsed once.
//! It vets nothing itself; that is the parser's part.

use std::fmt;
use std::sync::Arc;

use crate::base::index::Index;
use crate::http::problem::Problem;
use crate::model::Target;

pub use crate::http::target::parse;

/// Targets kept for reuse at most.
pub const TARGETS_CACHED_MAX: usize = 4_096;
/// Bytes of a URL whose target is kept: together with the bound above, a few MiB in all.
const URL_CACHED_BYTES_MAX: usize = 512;

/// Targets by the text of their URL, so that the common case parses and allocates nothing. When it
/// is full the oldest goes: one that is still in use is parsed again, once in 4,096 misses.
pub struct Targets {
    by_text: Index<Arc<str>, Arc<Target>>,
    /// The texts in the order they came, round and round.
    texts: Vec<Arc<str>>,
    /// Place of the oldest text once the cache is full.
    oldest: usize,
}

impl Targets {
    /// An empty cache. The seed keeps its map from being attacked by chosen URLs.
    #[must_use]
    pub fn new(seed: u64) -> Targets {
        Targets {
            by_text: Index::new(seed),
            texts: Vec::new(),
            oldest: 0,
        }
    }

    /// The target that `text` names; see [`parse`] for what is refused.
    pub fn get(&mut self, text: &str) -> Result<Arc<Target>, Problem> {
        if let Some(target) = self.by_text.get(text) {
            return Ok(Arc::clone(target));
        }
        let target = Arc::new(parse(text)?);
        if text.len() <= URL_CACHED_BYTES_MAX {
            self.keep(text.into(), Arc::clone(&target));
        }
        Ok(target)
    }

    fn keep(&mut self, text: Arc<str>, target: Arc<Target>) {
        match self.texts.get_mut(self.oldest) {
            Some(place) if self.by_text.len() >= TARGETS_CACHED_MAX => {
                self.by_text.remove(place.as_ref());
                *place = Arc::clone(&text);
                self.oldest = (self.oldest + 1) % TARGETS_CACHED_MAX;
            }
            _ => self.texts.push(Arc::clone(&text)),
        }
        self.by_text.insert(text, target);
        debug_assert_eq!(self.by_text.len(), self.texts.len());
    }
}

impl fmt::Debug for Targets {
    // Only the number: the texts may hold credentials.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Targets({})", self.by_text.len())
    }
}

#[cfg(test)]
mod tests;
