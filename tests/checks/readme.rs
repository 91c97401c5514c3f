//! README's curl lines, pasted by a script out of README itself, against its own target.
//! It knows none of the lines; it only gives them other ports.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use crate::peer::{metric, until};
use crate::process::{cargo, needs, run};
use crate::report::{Result, Trouble, ensure};
use crate::server::Server;

/// README's ports, for which others stand here.
const SERVER: &str = "127.0.0.1:8080";
const TARGET: &str = "localhost:9000";

pub fn curl_lines() -> Result {
    needs("curl", "curl")?;
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md"))?;
    let lines = part(&readme, "curl")?;
    let mut target = Example::start()?;
    let server = Server::start();
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
    ensure(lines.lines().count() == 5 && sent == 4, || {
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

/// The lines of README's block of that name.
fn part<'a>(readme: &'a str, name: &str) -> std::result::Result<&'a str, Trouble> {
    let begin = format!("<!-- {name} -->\n```sh\n");
    let found = readme
        .split_once(&begin)
        .and_then(|(_, rest)| rest.split_once("\n```"));
    let (lines, _) = found.ok_or_else(|| Trouble::failed(format!("README has no {name}")))?;
    Ok(lines)
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
        run(cargo().args(["build", "--release", "--example", "target"]))?;
        let mut command = Command::new(program()?);
        command.arg("0").stdin(Stdio::null()).stdout(Stdio::piped());
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
        let first = example
            .lines
            .recv_timeout(Duration::from_secs(10))
            .unwrap_or_default();
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

/// Examples stand beside the binary.
fn program() -> std::result::Result<PathBuf, Trouble> {
    let folder = Path::new(env!("CARGO_BIN_EXE_hookah")).parent();
    let folder = folder.ok_or_else(|| Trouble::failed("no folder of the binary"))?;
    Ok(folder.join("examples").join("target"))
}
