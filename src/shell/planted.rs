//! A fault for the stories about the boundary around the engine: `HOOKAH_PLANTED_PANIC` names what
//! a request must hold for its fact to panic, or says `tick`. A build without debug assertions,
//! such as a release, has none of this.

#[cfg(debug_assertions)]
use std::sync::LazyLock;

/// What the environment of a debug build plants.
#[cfg(debug_assertions)]
static PLANTED: LazyLock<Option<String>> =
    LazyLock::new(|| std::env::var("HOOKAH_PLANTED_PANIC").ok());

/// Panics, when the engine has taken in `bytes` of a line, if the fault is about them.
#[cfg(debug_assertions)]
pub(super) fn amid(bytes: &[u8]) {
    let Some(mark) = PLANTED.as_deref() else {
        return;
    };
    let found = memchr::memmem::find(bytes, mark.as_bytes()).is_some();
    assert!(!found, "planted");
}

/// Panics if the fault belongs to no line.
#[cfg(debug_assertions)]
pub(super) fn amid_tick() {
    assert!(PLANTED.as_deref() != Some("tick"), "planted");
}

#[cfg(not(debug_assertions))]
#[inline]
pub(super) fn amid(_: &[u8]) {}

#[cfg(not(debug_assertions))]
#[inline]
pub(super) fn amid_tick() {}
