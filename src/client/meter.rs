//! A line on stderr that says how far something is, for people who wait for it. It says nothing
//! where no terminal is, and nothing more often than ten times a second.

use std::env;
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// The line is not drawn more often than this.
const REDRAWN: Duration = Duration::from_millis(100);

/// The line.
#[derive(Debug)]
pub struct Meter {
    /// When it may be drawn again; `None` where nobody sees it.
    next: Option<Instant>,
    is_shown: bool,
}

impl Meter {
    /// One that is drawn if stderr is a terminal.
    #[must_use]
    pub fn new() -> Meter {
        let seen = io::stderr().is_terminal();
        Meter {
            next: seen.then(Instant::now),
            is_shown: false,
        }
    }

    /// Whether somebody may see it.
    #[must_use]
    pub fn is_seen(&self) -> bool {
        self.next.is_some()
    }

    /// Draws the line if it is time for that.
    pub fn show(&mut self, text: impl Display) {
        let Some(next) = self.next else { return };
        let now = Instant::now();
        if now < next {
            return;
        }
        self.next = Some(now + REDRAWN);
        self.is_shown = true;
        // Back to the line's begin, and what is left of an older one is erased.
        let _ = write!(io::stderr(), "\r{text}\x1b[K");
    }

    /// Takes the line away.
    pub fn clear(&mut self) {
        if std::mem::take(&mut self.is_shown) {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

impl Default for Meter {
    fn default() -> Meter {
        Meter::new()
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.clear();
    }
}

/// A line in green or in red, where stdout is a terminal and NO_COLOR is not set.
#[must_use]
pub fn coloured(line: &str, is_good: bool) -> String {
    let plain = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if plain || !io::stdout().is_terminal() {
        return line.to_owned();
    }
    let colour = if is_good { 32 } else { 31 };
    format!("\x1b[{colour}m{line}\x1b[m")
}
