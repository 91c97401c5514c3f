//! What the standard library does not wrap: epoll, processor pinning, signals to a child.
//! It never decides anything, and no other file of this bench holds `unsafe`.
#![allow(unsafe_code)]

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};

/// Readiness that one `epoll_wait` may report; more wait for the next call.
const EVENTS_MAX: usize = 1024;

/// An epoll set that watches for reading only.
pub struct Epoll {
    fd: OwnedFd,
    events: Vec<libc::epoll_event>,
}

impl Epoll {
    /// Opens an empty set.
    pub fn new() -> io::Result<Epoll> {
        // SAFETY: no pointer is passed; the result is checked before it is owned.
        let fd = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: `fd` was opened on the line above and nobody else owns it.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Epoll {
            fd,
            events: Vec::with_capacity(EVENTS_MAX),
        })
    }

    /// Watches `source` under `token` and reports it in every wait while it is readable;
    /// closing the descriptor ends the watch.
    pub fn add_level(&self, source: &impl AsRawFd, token: usize) -> io::Result<()> {
        self.add(source, token, libc::EPOLLIN)
    }

    /// Like `add_level`, but reports once for each arrival: cheaper, as long as one read takes
    /// all that has arrived.
    pub fn add_edge(&self, source: &impl AsRawFd, token: usize) -> io::Result<()> {
        self.add(source, token, libc::EPOLLIN | libc::EPOLLET)
    }

    fn add(&self, source: &impl AsRawFd, token: usize, interest: libc::c_int) -> io::Result<()> {
        let mut event = libc::epoll_event {
            events: interest as u32,
            u64: token as u64,
        };
        let (set, fd) = (self.fd.as_raw_fd(), source.as_raw_fd());
        // SAFETY: both descriptors are open and `event` outlives the call.
        check(unsafe { libc::epoll_ctl(set, libc::EPOLL_CTL_ADD, fd, &mut event) }).map(|_| ())
    }

    /// Waits at most `timeout_ms` (-1: for ever) and returns how many tokens are ready.
    pub fn wait(&mut self, timeout_ms: i32) -> io::Result<usize> {
        self.events.clear();
        let (set, room) = (self.fd.as_raw_fd(), self.events.as_mut_ptr());
        loop {
            // SAFETY: `room` points at EVENTS_MAX events of reserved capacity.
            match check(unsafe { libc::epoll_wait(set, room, EVENTS_MAX as i32, timeout_ms) }) {
                Ok(ready) => {
                    // SAFETY: the kernel has just initialised the first `ready` events.
                    unsafe { self.events.set_len(ready as usize) };
                    return Ok(ready as usize);
                }
                // A debugger or strace came: wait anew.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The token of the `nth` ready descriptor of the last wait.
    pub fn token(&self, nth: usize) -> usize {
        self.events[nth].u64 as usize
    }
}

/// The set's own descriptor is readable when one of those it watches is.
impl AsRawFd for Epoll {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

/// The processors this process may run on, in ascending order.
pub fn cores() -> io::Result<Vec<usize>> {
    // SAFETY: a `cpu_set_t` is plain bits, for which all zero is a valid value.
    let mut set: libc::cpu_set_t = unsafe { mem::zeroed() };
    // SAFETY: `set` is as large as the size says and lives through the call.
    check(unsafe { libc::sched_getaffinity(0, mem::size_of_val(&set), &mut set) })?;
    // SAFETY: every index is below CPU_SETSIZE.
    let allowed = |&core: &usize| unsafe { libc::CPU_ISSET(core, &set) };
    Ok((0..libc::CPU_SETSIZE as usize).filter(allowed).collect())
}

/// Confines the calling thread, and the threads and children it starts later, to `cores`.
pub fn pin(cores: &[usize]) -> io::Result<()> {
    // SAFETY: a `cpu_set_t` is plain bits, for which all zero is a valid value.
    let mut set: libc::cpu_set_t = unsafe { mem::zeroed() };
    for &core in cores {
        // SAFETY: `cores()` yields nothing at or above CPU_SETSIZE.
        unsafe { libc::CPU_SET(core, &mut set) };
    }
    // SAFETY: `set` is as large as the size says and lives through the call.
    check(unsafe { libc::sched_setaffinity(0, mem::size_of_val(&set), &set) }).map(|_| ())
}

/// Makes `command` start pinned to `core` with every thread it will have, and end with us.
pub fn pin_child(command: &mut Command, core: usize) {
    let prepare = move || {
        pin(&[core])?;
        // SAFETY: no pointer is passed.
        check(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM) }).map(|_| ())
    };
    // SAFETY: between fork and exec only two system calls are made and nothing is allocated.
    unsafe { command.pre_exec(prepare) };
}

/// Asks `child` to end. The child has not been waited for, so its id is still its own.
pub fn terminate(child: &Child) {
    // SAFETY: no pointer is passed; a failure means that the child has ended already.
    unsafe { libc::kill(child.id() as libc::pid_t, libc::SIGTERM) };
}

/// Clock ticks a second, the unit of `utime` and `stime` in `/proc/PID/stat`.
pub fn ticks_per_second() -> f64 {
    // SAFETY: no pointer is passed.
    unsafe { libc::sysconf(libc::_SC_CLK_TCK) as f64 }
}

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}
