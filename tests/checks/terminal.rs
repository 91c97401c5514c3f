//! What a person at a terminal sees and a pipe does not: how far long work is, and colours.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::peer::{Client, metric, until};
use crate::process::{needs, run};
use crate::report::{Result, Trouble, ensure};
use crate::server::Server;

/// Messages in the store, posted so many at once.
const MESSAGES: usize = 300_000;
const BATCH: usize = 10_000;
const GREEN: &str = "\x1b[32m";

/// `hookah check` of a large store: on a terminal percentages and a coloured verdict, with NO_COLOR
/// no colour, in a pipe neither; and it takes no longer where somebody watches.
pub fn check() -> Result {
    needs("script", "bsdutils")?;
    let folder = std::env::temp_dir().join(format!("hookah-terminal-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let found = in_folder(&folder.join("hookah.db").display().to_string());
    std::fs::remove_dir_all(&folder)?;
    found
}

fn in_folder(path: &str) -> Result {
    let store = format!("--store=sqlite:{path}");
    fill(&store)?;
    let line = format!("{} check {store}", env!("CARGO_BIN_EXE_hookah"));
    let timed = |command: &mut Command| -> std::result::Result<(String, Duration), Trouble> {
        let began = Instant::now();
        Ok((run(command)?, began.elapsed()))
    };
    let seen = |line: &str| {
        let mut command = Command::new("script");
        command.args(["-qec", line, "/dev/null"]);
        command.env_remove("NO_COLOR");
        command
    };
    let (watched, while_watched) = timed(&mut seen(&line))?;
    let redrawn = watched.matches("\x1b[K").count();
    let most = 2 + while_watched.as_millis() / 100;
    ensure(
        watched.contains("% of ") && watched.contains(GREEN) && redrawn as u128 <= most,
        || format!("{redrawn} times in {while_watched:.1?}: {watched:?}"),
    )?;
    let (plain, _) = timed(&mut seen(&format!("NO_COLOR=1 {line}")))?;
    ensure(plain.contains("% of ") && !plain.contains(GREEN), || {
        format!("with NO_COLOR: {plain:?}")
    })?;
    let (piped, while_piped) = timed(Command::new("sh").args(["-c", &line]))?;
    ensure(!piped.contains(['\x1b', '%', '\r']), || {
        format!("in a pipe: {piped:?}")
    })?;
    Ok(format!(
        "{MESSAGES} messages: {while_watched:.2?} on a terminal, redrawn {redrawn} times; \
         {while_piped:.2?} in a pipe, with neither"
    ))
}

/// A store with all those messages, which no process has open any more.
fn fill(store: &str) -> std::result::Result<(), Trouble> {
    let server = Server::with(["--port=0", "--max-body=64MiB", store]);
    let addr = server.addr();
    until("it is ready", Duration::from_secs(10), || {
        Ok(Client::connect(addr)?.get("/ready")?.status == 200)
    })?;
    let body = "{\"topic\":\"t\",\"body\":\"x\"}\n".repeat(BATCH);
    let head = format!(
        "POST /dispatch/batch HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    let mut client = Client::connect(addr)?;
    for _ in 0..MESSAGES / BATCH {
        client.send(head.as_bytes())?;
        client.send(body.as_bytes())?;
        client.accepted()?;
    }
    let taken = metric(addr, "hookah_messages_accepted_total")?;
    ensure(taken == MESSAGES as u64, || format!("{taken} are taken"))?;
    server.signal("TERM");
    server.wait();
    Ok(())
}
