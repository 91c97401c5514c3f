//! Thin clients of the HTTP interface, for shells and scripts: `hookah send` and `hookah tail`.
//! Blocking sockets and one request at a time; nothing here knows the engine or keeps anything.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::base::exit::Exit;

mod answer;
mod call;
mod cut;
mod feed;
mod line;
mod lines;
pub mod meter;
mod names;
pub mod send;
mod server;
pub mod tail;
mod wait;

pub use server::Server;

/// Whom to talk to, and how long to try.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The server.
    pub server: Server,
    /// What proves who we are.
    pub token: Token,
    /// Certificates to trust besides the built-in roots, in PEM.
    pub ca_file: Option<PathBuf>,
    /// How long to try again while the server is away or too busy; `None` is the default.
    pub retry_for: Option<Duration>,
}

/// How long to try again unless it was said otherwise: about as long as a restart takes.
pub const RETRY_FOR: Duration = Duration::from_secs(10);

/// Where the token comes from.
#[derive(Clone)]
pub enum Token {
    /// There is none.
    None,
    /// From the environment.
    Text(String),
    /// The first line of a file.
    File(PathBuf),
}

/// Never shows the secret.
impl fmt::Debug for Token {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Token::None => "none",
            Token::Text(_) => "from the environment",
            Token::File(_) => "from a file",
        })
    }
}

/// What is to be done.
#[derive(Clone, Debug)]
pub enum Job {
    /// Send a message, or one for each line of stdin.
    Send(send::Order),
    /// Print what is published.
    Tail(tail::Wish),
}

/// Why it was not done: the exit code, and one line for people.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// What is wrong, in words; empty if it was said before.
    pub text: String,
}

impl Failure {
    fn new(exit: Exit, text: impl fmt::Display) -> Failure {
        let text = text.to_string();
        Failure { exit, text }
    }

    /// A file, stdin or stdout fails.
    fn io(what: impl fmt::Display, why: &std::io::Error) -> Failure {
        Failure::new(Exit::Io, format_args!("{what}: {why}"))
    }
}

/// Does the job. Its results go to stdout, what else there is to say to stderr.
///
/// # Errors
/// Why not all of it was done.
pub fn run(settings: Settings, job: Job) -> Result<(), Failure> {
    let caller = call::Caller::new(settings)?;
    match job {
        Job::Send(order) => send::run(&order, caller),
        Job::Tail(wish) => tail::run(&wish, caller),
    }
}
