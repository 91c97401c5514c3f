//! The few system calls that std has no safe door to: entropy, waiting for several descriptors,
//! their limit, boot clock, the addresses of the interfaces, free space, the mode of a file to be
//! made, a Unix socket's peer, what a service manager hands over.
//! The only file with unsafe code; it keeps no state and decides nothing.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

/// 32 bytes of the system's entropy; waits for them early in a machine's boot.
///
/// # Errors
/// The kernel has no such call, or a sandbox forbids it.
pub fn entropy() -> io::Result<[u8; 32]> {
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

/// Waits until one of the first `readers` descriptors has something to read, has ended or has
/// failed, or nobody reads any more what is written to one of the others; or for that time. True
/// for each of which that is so; all are false when the time is up, and may be if a signal came.
pub fn await_any<const N: usize>(
    readers: usize,
    of: [BorrowedFd<'_>; N],
    time: Option<Duration>,
) -> [bool; N] {
    let mut number = 0..;
    let mut polled = of.map(|descriptor| libc::pollfd {
        fd: descriptor.as_fd().as_raw_fd(),
        events: match number.next() < Some(readers) {
            true => libc::POLLIN,
            false => 0,
        },
        revents: 0,
    });
    let millis = time.map_or(-1, |time| {
        // Rounded up: a wait of less than a millisecond is no reason to turn in circles.
        i32::try_from(time.as_micros().div_ceil(1_000)).unwrap_or(i32::MAX)
    });
    // SAFETY: the pointer and the count are those of one live array, which the call may write.
    let ready = unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, millis) };
    polled.map(|one| ready > 0 && one.revents != 0)
}

/// Waits until something may be written there, or until that has failed or a signal came.
pub fn await_room(of: BorrowedFd<'_>) {
    let mut polled = libc::pollfd {
        fd: of.as_raw_fd(),
        events: libc::POLLOUT,
        revents: 0,
    };
    // SAFETY: the pointer is that of one live entry, which the call may write.
    let _ = unsafe { libc::poll(&raw mut polled, 1, -1) };
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
    // It is of 32 or 64 bits, by the machine.
    #[allow(clippy::unnecessary_cast, reason = "not on every machine")]
    let descriptors = limit.rlim_cur as u64;
    descriptors
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

/// CLOCK_MONOTONIC, by which a service manager tells a reload from the one before it.
pub(super) fn monotonic() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the call writes one `timespec` through a pointer to a live one.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Takes these variables out of the environment. Only before there are other threads.
pub(super) fn forget_variables(names: &[&str]) {
    for name in names {
        // SAFETY: nobody else looks at the environment, for this is the process's only thread.
        unsafe { std::env::remove_var(name) };
    }
}

/// Takes over a descriptor that another process has left to us; no program that we would start has
/// it. Only a number that was handed over, and each only once.
///
/// # Errors
/// There is none of that number.
pub(super) fn take_descriptor(fd: i32) -> io::Result<OwnedFd> {
    // SAFETY: the calls take numbers; one that is no descriptor fails.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFD) };
    // SAFETY: as before.
    if flags < 0 || unsafe { libc::fcntl(fd, libc::F_SETFD, flags | libc::FD_CLOEXEC) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it is open, and by the manager's word it is ours alone.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The addresses of this machine's interfaces now; none if the system does not tell.
pub(super) fn interfaces() -> Vec<IpAddr> {
    let mut list: *mut libc::ifaddrs = std::ptr::null_mut();
    // SAFETY: the call writes one pointer, to a list that is ours until `freeifaddrs`.
    if unsafe { libc::getifaddrs(&raw mut list) } != 0 {
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut next = list;
    // SAFETY: each node is null or a live one of the list; an address of a family is as long as
    // that family's structure and may lie at any alignment.
    while let Some(node) = unsafe { next.as_ref() } {
        next = node.ifa_next;
        let addr = node.ifa_addr;
        if addr.is_null() {
            continue;
        }
        match i32::from(unsafe { (*addr).sa_family }) {
            libc::AF_INET => {
                let v4 = unsafe { addr.cast::<libc::sockaddr_in>().read_unaligned() };
                let bytes = v4.sin_addr.s_addr.to_ne_bytes();
                found.push(IpAddr::V4(Ipv4Addr::from(bytes)));
            }
            libc::AF_INET6 => {
                let v6 = unsafe { addr.cast::<libc::sockaddr_in6>().read_unaligned() };
                found.push(IpAddr::V6(Ipv6Addr::from(v6.sin6_addr.s6_addr)));
            }
            _ => {}
        }
    }
    // SAFETY: the list came from `getifaddrs` and is not used any more.
    unsafe { libc::freeifaddrs(list) };
    found
}

/// Does something that makes a file, which then has that mode and no more, whatever the process
/// leaves off usually. The file's mode is the process's concern: not beside other threads that make
/// files.
pub(super) fn with_mode<R>(mode: libc::mode_t, make: impl FnOnce() -> R) -> R {
    let left_off = !mode & 0o777;
    // SAFETY: the call takes and returns a number and cannot fail.
    let usual = unsafe { libc::umask(left_off) };
    let made = make();
    // SAFETY: as before.
    unsafe { libc::umask(usual) };
    made
}

/// Whether the process at the other end of a Unix socket belongs to our own user, or to root;
/// false if the system does not tell.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn is_owner(socket: &impl AsRawFd) -> bool {
    let mut peer = libc::ucred {
        pid: 0,
        uid: libc::uid_t::MAX,
        gid: 0,
    };
    let mut length = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: the call writes at most `length` bytes through a pointer to a live `ucred` of that
    // size, and the descriptor is open as long as its owner is borrowed.
    let failed = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut peer).cast(),
            &raw mut length,
        )
    };
    // SAFETY: the call takes nothing and cannot fail.
    failed == 0 && (peer.uid == 0 || peer.uid == unsafe { libc::geteuid() })
}

/// Whether the process at the other end of a Unix socket belongs to our own user: unknown here.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn is_owner(_socket: &impl AsRawFd) -> bool {
    false
}

/// Bytes that we may still write to the file system of `path`; `None` if the system does not tell.
#[must_use]
pub(super) fn free_bytes(path: &Path) -> Option<u64> {
    let path = CString::new(path.as_os_str().as_bytes()).ok()?;
    let mut stat = std::mem::MaybeUninit::<libc::statvfs>::zeroed();
    // SAFETY: the path ends with a zero, and the call writes one `statvfs` through a pointer to a
    // live one, which is valid with zeros alone.
    let stat = unsafe {
        if libc::statvfs(path.as_ptr(), stat.as_mut_ptr()) != 0 {
            return None;
        }
        stat.assume_init()
    };
    #[allow(clippy::useless_conversion, reason = "not everywhere of 64 bits")]
    Some(u64::from(stat.f_bavail).saturating_mul(u64::from(stat.f_frsize)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entropy_differs_from_call_to_call() {
        assert_ne!(entropy().unwrap(), entropy().unwrap());
    }

    #[test]
    fn loopback_is_an_interface() {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        assert!(interfaces().contains(&loopback), "{:?}", interfaces());
    }

    #[test]
    fn we_are_our_own_peer() {
        let (one, other) = std::os::unix::net::UnixStream::pair().unwrap();
        assert!(is_owner(&one) && is_owner(&other));
        // What is no Unix socket has no peer of that kind.
        assert!(!is_owner(&std::fs::File::open("/dev/null").unwrap()));
    }

    #[test]
    fn free_space_is_told_of_what_exists() {
        assert!(free_bytes(&std::env::temp_dir()).is_some());
        assert_eq!(free_bytes(Path::new("/no/such/place")), None);
    }

    #[test]
    fn the_soft_limit_reaches_the_hard_one_and_stays() {
        let raised = raise_descriptors();
        assert!(raised > 0);
        assert_eq!(raise_descriptors(), raised);
    }
}
