//! Signals as readiness: the first SIGTERM or SIGINT asks for a drain, the second ends the process;
//! SIGHUP has the files read again.
//! It never decides when a drain is over.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use mio::{Interest, Registry, Token};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook_mio::v1_0::Signals as Pipe;

use crate::base::exit::Exit;

/// The signals that came in, to be asked when its token is ready.
pub(super) struct Signals {
    pipe: Pipe,
}

/// What signals ask for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asked {
    /// The server shall stop.
    pub(super) stop: bool,
    /// It shall read its files again.
    pub(super) reload: bool,
}

impl Signals {
    /// Takes SIGTERM, SIGINT and SIGHUP over from their defaults. SIGPIPE is ignored already:
    /// Rust's runtime does so before `main`.
    ///
    /// The second SIGTERM or SIGINT ends the process inside the handler, with 128 + its number
    /// (143, 130) as a shell would report it: it must work even if the loop itself is stuck.
    pub(super) fn register(registry: &Registry, token: Token) -> io::Result<Signals> {
        let stopping = Arc::new(AtomicBool::new(false));
        for (signal, exit) in [(SIGTERM, Exit::Terminated), (SIGINT, Exit::Interrupted)] {
            // Handlers run in the order of registration, so the first signal finds the flag down.
            let code = i32::from(exit.code());
            flag::register_conditional_shutdown(signal, code, Arc::clone(&stopping))?;
            flag::register(signal, Arc::clone(&stopping))?;
        }
        let mut pipe = Pipe::new([SIGTERM, SIGINT, SIGHUP])?;
        registry.register(&mut pipe, token, Interest::READABLE)?;
        Ok(Signals { pipe })
    }

    /// Takes in what came.
    pub(super) fn asked(&mut self) -> Asked {
        let mut asked = Asked::default();
        for signal in self.pipe.pending() {
            match signal {
                SIGTERM => log::info!("drain_begin signal=SIGTERM"),
                SIGINT => log::info!("drain_begin signal=SIGINT"),
                _ => log::info!("reload_begin signal=SIGHUP"),
            }
            asked.stop |= signal != SIGHUP;
            asked.reload |= signal == SIGHUP;
        }
        asked
    }
}
