//! The file of tokens: read at the start and whenever SIGHUP asks for it. It holds no secrets, but
//! whoever can write it can let anybody in, and whoever can read it can sign tickets.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::{Failure, sys};
use crate::access::mint::{self, Minted};
use crate::access::{Roll, roll};

/// Bytes of the file at most: more than all tokens that a roll may have.
const FILE_BYTES_MAX: u64 = 64 << 20;
/// Permissions that let others than the owner read or write.
const OTHERS: u32 = 0o077;

/// The roll in that file.
///
/// # Errors
/// What is wrong, in words that follow the file's name: what the system says, or the line.
pub(super) fn read(path: &Path) -> Result<Roll, String> {
    let file = File::open(path).map_err(|why| format!("cannot be read: {why}"))?;
    let mut text = String::new();
    let read = file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text);
    let bytes = read.map_err(|why| format!("cannot be read: {why}"))?;
    if bytes as u64 > FILE_BYTES_MAX {
        let tokens = roll::TOKENS_MAX;
        return Err(format!(
            "is too long; allowed: {FILE_BYTES_MAX} bytes, {tokens} tokens"
        ));
    }
    Roll::parse(&text)
}

/// Says in the log if others can read the file.
pub(super) fn warn_if_open(path: &Path) {
    let mode = std::fs::metadata(path).map_or(0, |about| about.mode());
    if mode & OTHERS != 0 {
        log::warn!(
            "tokens_file_open path={path:?} mode={:o} advice=\"chmod 600\"",
            mode & 0o777
        );
    }
}

/// A new token, from the system's entropy.
///
/// # Errors
/// The system has none to give. Name and rights are right, as [`mint::check`] has them.
pub fn new_token(name: &str, rights: &[String]) -> Result<Minted, Failure> {
    let doing = "asking for entropy";
    let entropy = sys::entropy().map_err(|why| Failure::System { doing, why })?;
    mint::mint(name, rights, entropy).map_err(|why| {
        let why = std::io::Error::other(why);
        Failure::System { doing, why }
    })
}
