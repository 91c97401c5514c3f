//! The few system calls that std has no safe door to: entropy, descriptor limit, boot clock.
//! The only file with unsafe code; it keeps no state and decides nothing.
#![allow(unsafe_code)]

use std::io;
use std::time::Duration;

/// 32 bytes of the system's entropy; waits for them early in a machine's boot.
///
/// # Errors
/// The kernel has no such call, or a sandbox forbids it.
pub(super) fn entropy() -> io::Result<[u8; 32]> {
    let mut bytes = [0u8; 32];
    // SAFETY: the pointer and the length are those of one live array, and 32 is within the call's
    // limit of 256 bytes.
    let failed = unsafe { libc::getentropy(bytes.as_mut_ptr().cast(), bytes.len()) };
    if failed == 0 {
        Ok(bytes)
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Raises the soft limit on open descriptors to the hard one, and returns what holds now.
pub fn raise_descriptors() -> u64 {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the call writes one `rlimit` through a pointer to a live one.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 {
        return 1024;
    }
    let raised = libc::rlimit {
        rlim_cur: limit.rlim_max,
        rlim_max: limit.rlim_max,
    };
    // SAFETY: the call reads one `rlimit` through a pointer to a live one.
    if raised.rlim_cur != limit.rlim_cur
        && unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const raised) } == 0
    {
        limit = raised;
    }
    limit.rlim_cur
}

/// Time since the machine started. On Linux suspended time counts: a retry due in an hour is due
/// when the lid opens again.
#[must_use]
pub(super) fn uptime() -> Duration {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    const CLOCK: libc::clockid_t = libc::CLOCK_BOOTTIME;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    const CLOCK: libc::clockid_t = libc::CLOCK_MONOTONIC;
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the call writes one `timespec` through a pointer to a live one.
    unsafe { libc::clock_gettime(CLOCK, &raw mut time) };
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entropy_differs_from_call_to_call() {
        assert_ne!(entropy().unwrap(), entropy().unwrap());
    }

    #[test]
    fn the_soft_limit_reaches_the_hard_one_and_stays() {
        let raised = raise_descriptors();
        assert!(raised > 0);
        assert_eq!(raise_descriptors(), raised);
    }
}
