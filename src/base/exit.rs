//! The one table of the process's exit codes (sysexits.h), for whoever ends it, for `--help` and
//! for README. It ends nothing itself.

/// How the process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Stopped by a signal, and the drain is over; or a text was printed and that was all.
    Done,
    /// What was sent has ended, and was not delivered.
    Undelivered,
    /// The command line is wrong.
    Usage,
    /// The server refuses what it was sent as it stands.
    Refused,
    /// An address to listen on is not to be had, or the server to talk to.
    Unavailable,
    /// A fault of ours, or the system refused what nothing works without.
    Software,
    /// The store cannot be created where it was asked for.
    CannotCreate,
    /// The store cannot be read or written.
    Io,
    /// The store is in use by another process.
    InUse,
    /// The server speaks something else than it should.
    Protocol,
    /// A token does not allow it.
    NoRight,
    /// The configuration is wrong.
    Config,
    /// A second SIGINT.
    Interrupted,
    /// A second SIGTERM.
    Terminated,
}

impl Exit {
    /// Every row, in the order of the codes.
    pub const ALL: [Exit; 14] = [
        Exit::Done,
        Exit::Undelivered,
        Exit::Usage,
        Exit::Refused,
        Exit::Unavailable,
        Exit::Software,
        Exit::CannotCreate,
        Exit::Io,
        Exit::InUse,
        Exit::Protocol,
        Exit::NoRight,
        Exit::Config,
        Exit::Interrupted,
        Exit::Terminated,
    ];

    /// What `send` and `tail` end with where another try may go better; the same number.
    pub const LATER: Exit = Exit::InUse;

    /// The number.
    #[must_use]
    pub fn code(self) -> u8 {
        self.row().0
    }

    /// What it means of a server, a check or a new token, in words; empty if none ends so.
    #[must_use]
    pub fn text(self) -> &'static str {
        self.row().1
    }

    /// What it means of `send` and `tail`, in words; empty if neither ends so.
    #[must_use]
    pub fn client_text(self) -> &'static str {
        self.row().2
    }

    fn row(self) -> (u8, &'static str, &'static str) {
        match self {
            Exit::Done => (
                0,
                "stopped by a signal; what was in flight is finished",
                "done; with --wait: delivered",
            ),
            Exit::Undelivered => (1, "", "with --wait: failed, expired or canceled"),
            Exit::Usage => (64, "the command line is wrong", "the command line is wrong"),
            Exit::Refused => (65, "", "the server refuses it as it stands (4xx)"),
            Exit::Unavailable => (
                69,
                "an address to listen on is taken or not to be had",
                "the server cannot be reached",
            ),
            Exit::Software => (70, "an internal fault; the log says where", ""),
            Exit::CannotCreate => (73, "the store cannot be created where it was asked for", ""),
            Exit::Io => (
                74,
                "the store cannot be read or written, or is damaged",
                "a file, stdin or stdout fails",
            ),
            Exit::InUse => (
                75,
                "the store is in use by another process",
                "not now (503, 429), or not ended in time; try again",
            ),
            Exit::Protocol => (76, "", "the answer is not understood, or TLS fails"),
            Exit::NoRight => (77, "", "the token is missing, wrong, or not enough"),
            Exit::Config => (78, "the configuration or the environment is wrong", ""),
            Exit::Interrupted => (
                130,
                "a second signal, SIGINT, did not wait for the drain",
                "Ctrl-C",
            ),
            Exit::Terminated => (
                143,
                "a second signal, SIGTERM, did not wait for the drain",
                "SIGTERM",
            ),
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
