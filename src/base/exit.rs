//! The one table of the process's exit codes (sysexits.h), for whoever ends it and for README.
//! It ends nothing itself.

/// How the process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Stopped by a signal, and the drain is over; or a text was printed and that was all.
    Done,
    /// The command line is wrong.
    Usage,
    /// An address to listen on is not to be had.
    Unavailable,
    /// A fault of ours, or the system refused what nothing works without.
    Software,
    /// The store cannot be created where it was asked for.
    CannotCreate,
    /// The store cannot be read or written.
    Io,
    /// The store is in use by another process.
    InUse,
    /// The configuration is wrong.
    Config,
    /// A second SIGINT.
    Interrupted,
    /// A second SIGTERM.
    Terminated,
}

impl Exit {
    /// Every row, in the order of the codes.
    pub const ALL: [Exit; 10] = [
        Exit::Done,
        Exit::Usage,
        Exit::Unavailable,
        Exit::Software,
        Exit::CannotCreate,
        Exit::Io,
        Exit::InUse,
        Exit::Config,
        Exit::Interrupted,
        Exit::Terminated,
    ];

    /// The number.
    #[must_use]
    pub fn code(self) -> u8 {
        self.row().0
    }

    /// What it means, in words.
    #[must_use]
    pub fn text(self) -> &'static str {
        self.row().1
    }

    fn row(self) -> (u8, &'static str) {
        match self {
            Exit::Done => (0, "stopped by a signal; what was in flight is finished"),
            Exit::Usage => (64, "the command line is wrong"),
            Exit::Unavailable => (69, "an address to listen on is taken or not to be had"),
            Exit::Software => (70, "an internal fault; the log says where"),
            Exit::CannotCreate => (73, "the store cannot be created where it was asked for"),
            Exit::Io => (74, "the store cannot be read or written, or is damaged"),
            Exit::InUse => (75, "the store is in use by another process"),
            Exit::Config => (78, "the configuration or the environment is wrong"),
            Exit::Interrupted => (130, "a second signal, SIGINT, did not wait for the drain"),
            Exit::Terminated => (143, "a second signal, SIGTERM, did not wait for the drain"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_go_up() {
        let codes = Exit::ALL.map(Exit::code);
        assert!(codes.is_sorted_by(|one, next| one < next), "{codes:?}");
    }
}
