//! README's own commands, pasted by a script: the one that runs Hookah, the target, the curl lines.
//! It knows none of them; it only gives them other ports.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use crate::BUILD_MAX;
use crate::peer::{metric, until};
use crate::process::{needs, run};
use crate::report::{Result, Trouble, ensure};
use crate::server::Server;

/// README's ports, for which others stand here.
const SERVER: &str = "127.0.0.1:8080";
const TARGET: &str = "localhost:9000";

pub fn commands() -> Result {
    needs("curl", "curl")?;
    let readme = readme()?;
    let lines = part(&readme, "curl")?;
    let mut target = Example::start()?;
    let mut command = pasted(part(&readme, "run")?);
    command.env("HOOKAH_PORT", "0");
    let server = Server::spawn(command);
    let addr = server.addr();
    let mut sent = 0;
    for line in lines.lines() {
        let line = line
            .replace(SERVER, &addr.to_string())
            .replace(TARGET, &target.authority);
        let mut shell = Command::new("sh");
        let answer = run(shell
            .args(["-c", &line])
            .current_dir(env!("CARGO_MANIFEST_DIR")))?;
        let taken = answer.contains("202 Scheduled") || answer.contains("\"scheduled\"");
        let known = taken || answer.contains("hookah_messages_accepted_total ");
        ensure(known, || format!("{line}\n{answer}"))?;
        sent += u64::from(taken);
    }
    ensure(lines.lines().count() == 6 && sent == 5, || {
        format!("{sent} messages taken")
    })?;
    until("all are delivered", Duration::from_secs(10), || {
        Ok(metric(addr, "hookah_deliveries_delivered_total")? == sent)
    })?;
    let printed = target.stop();
    for word in [
        "hello=world",
        "hello=again",
        "# Hookah",
        "{\"hello\":\"json\"}",
        "{\"hello\":\"signed\"}",
    ] {
        ensure(printed.contains(word), || {
            format!("{word:?} is not in\n{printed}")
        })?;
    }
    Ok(format!(
        "{} lines, {sent} webhooks delivered",
        lines.lines().count()
    ))
}

fn readme() -> io::Result<String> {
    fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md"))
}

/// The lines of README's block of that name.
fn part<'a>(readme: &'a str, name: &str) -> std::result::Result<&'a str, Trouble> {
    let begin = format!("<!-- {name} -->\n```sh\n");
    let found = readme
        .split_once(&begin)
        .and_then(|(_, rest)| rest.split_once("\n```"));
    let (lines, _) = found.ok_or_else(|| Trouble::failed(format!("README has no {name}")))?;
    Ok(lines)
}

/// A line as a command in the project's folder. The shell gives its place to the line's program,
/// and so does `cargo run`: whoever signals the command means that program.
fn pasted(line: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("exec {line}")]);
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("CARGO_TERM_QUIET", "true");
    command
}

/// README's target as a process of its own.
pub struct Example {
    /// `127.0.0.1:PORT`.
    pub authority: String,
    child: Child,
    lines: Receiver<String>,
}

impl Example {
    /// Builds it if need be, and starts it on a free port.
    pub fn start() -> std::result::Result<Example, Trouble> {
        let mut command = pasted(&format!("{} -- 0", part(&readme()?, "target")?));
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let stdout = child.stdout.take();
        let (sender, lines) = channel();
        let mut example = Example {
            authority: String::new(),
            child,
            lines,
        };
        thread::spawn(move || {
            for line in stdout
                .into_iter()
                .flat_map(|pipe| BufReader::new(pipe).lines())
            {
                let _ = line.map(|line| sender.send(line));
            }
        });
        let first = example.lines.recv_timeout(BUILD_MAX).unwrap_or_default();
        let authority = first
            .split_once("http://")
            .map(|(_, authority)| authority.to_owned());
        example.authority = authority
            .ok_or_else(|| Trouble::failed(format!("the target does not start: {first:?}")))?;
        Ok(example)
    }

    /// The process's id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it; everything it printed.
    pub fn stop(&mut self) -> String {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.lines.iter().collect::<Vec<String>>().join("\n")
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
