//! README's own commands, pasted by a script: the one that runs Hookah, the target, the curl lines.
//! It knows none of them; it only gives them other ports.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

use crate::LENGTHY_MAX;
use crate::peer::{metric, until};
use crate::process::{cargo, needs, run};
use crate::report::{Result, Trouble, ensure};
use crate::server::Server;
use crate::streams::{Curl, settled};

/// The key of README's example secret.
const SECRET: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";
/// README's ports, for which others stand here.
pub const SERVER: &str = "127.0.0.1:8080";
pub const TARGET: &str = "localhost:9000";
const TLS_TARGET: &str = "localhost:9443";

pub fn commands() -> Result {
    needs("curl", "curl")?;
    let readme = readme()?;
    let first = part(&readme, "curl")?;
    let more = [part(&readme, "curl topic")?, part(&readme, "curl file")?];
    let lines = [first, more[0], more[1]].join("\n");
    let mut target = Example::start()?;
    let server = started(part(&readme, "run")?)?;
    let addr = server.addr();
    let mut sent = 0;
    for line in lines.lines() {
        let line = line
            .replace(SERVER, &addr.to_string())
            .replace(TARGET, &target.authority);
        let answer = run(&mut pasted(&line))?;
        let shown = answer.contains("\"messages\":");
        let said = answer.contains("202 Scheduled") || answer.contains("\"scheduled\"");
        let (taken, known) = (said && !shown, said || shown);
        ensure(known, || format!("{line}\n{answer}"))?;
        sent += u64::from(taken);
    }
    ensure(first.lines().count() == 5 && sent == 6, || {
        format!("{sent} messages taken")
    })?;
    // But for the one that is published to a topic.
    until("all are delivered", Duration::from_secs(10), || {
        Ok(metric(addr, "hookah_deliveries_delivered_total")? == sent - 1)
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

/// The lines for https: what the target prints must verify, and so must what README shows of it.
pub fn secure() -> Result {
    needs("curl", "curl")?;
    let readme = readme()?;
    let lines = part(&readme, "https curl")?;
    let mut target = Example::start_as("https target")?;
    let server = started(part(&readme, "https run")?)?;
    let addr = server.addr();
    let mut sent = 0;
    for line in lines.lines() {
        let line = line
            .replace(SERVER, &addr.to_string())
            .replace(TLS_TARGET, &target.authority);
        let answer = run(&mut pasted(&line))?;
        let taken = answer.contains(r#""status":"scheduled""#);
        ensure(taken, || format!("{line}\n{answer}"))?;
        sent += 1;
    }
    until("all are delivered", Duration::from_secs(10), || {
        Ok(metric(addr, "hookah_deliveries_delivered_total")? == sent)
    })?;
    let printed = target.stop();
    let webhooks: Vec<&str> = printed.split("POST /").skip(1).collect();
    ensure(webhooks.len() as u64 == sent, || printed.clone())?;
    let shown = part(&readme, "https prints")?;
    for webhook in webhooks.into_iter().chain([shown]) {
        is_as_ordered(webhook)?;
    }
    Ok(format!("{sent} lines, {sent} signed webhooks over https"))
}

/// The lines of the guide to streams: each reader prints what was published, in its format.
pub fn streams() -> Result {
    needs("curl", "curl")?;
    let readme = readme()?;
    let server = started(part(&readme, "run")?)?;
    let addr = server.addr();
    let at = |line: &str| line.replace(SERVER, &addr.to_string());
    let mut readers = Vec::new();
    for name in ["stream read", "stream select"] {
        for line in part(&readme, name)?.lines() {
            let curl = Curl::spawn(&mut pasted(&format!("exec {}", at(line))))?;
            readers.push((line, curl));
        }
    }
    settled(addr, readers.len() as u64)?;
    for line in part(&readme, "stream write")?.lines() {
        let answer = run(&mut pasted(&at(line)))?;
        let taken = answer.contains("202 Scheduled") || answer.contains("\"scheduled\"");
        ensure(taken, || format!("{line}\n{answer}"))?;
    }
    for (line, curl) in &readers {
        let first = prints(line, curl)?;
        ensure(first.contains("hello"), || format!("{line}\n{first}"))?;
        // The filter of the last one lets only the first message through.
        if !line.contains("where.") {
            let second = prints(line, curl)?;
            ensure(second.contains("again"), || format!("{line}\n{second}"))?;
        }
    }
    for line in part(&readme, "stream kept")?.lines() {
        let answer = run(&mut pasted(&at(line)))?;
        let is_whole = answer.contains("again") && is_in_its_format(line, &answer);
        ensure(is_whole, || format!("{line}\n{answer}"))?;
    }
    let kept = part(&readme, "stream kept")?.lines().count();
    Ok(format!("{} readers, {kept} who came late", readers.len()))
}

/// The next message that a reader prints; README says what it looks like.
fn prints(line: &str, curl: &Curl) -> std::result::Result<String, Trouble> {
    loop {
        let printed = curl.line()?;
        if !["retry: ", ":", "id: "]
            .iter()
            .any(|it| printed.starts_with(it))
        {
            ensure(is_in_its_format(line, &printed), || {
                format!("{line}\n{printed}")
            })?;
            return Ok(printed);
        }
    }
}

fn is_in_its_format(line: &str, printed: &str) -> bool {
    let json = "{\"id\":\"msg_";
    match (line.contains("format=json"), line.contains("format=sse")) {
        (true, _) => printed.contains(json),
        (_, true) => printed.starts_with(&format!("data: {json}")),
        _ => printed.contains("\"title\":\"again\"") || printed.contains("title=hello&lang=en"),
    }
}

/// A webhook as the target prints it: the tenant's header, the body, its signature.
fn is_as_ordered(printed: &str) -> std::result::Result<(), Trouble> {
    let (head, body) = printed
        .split_once("\r\n\r\n")
        .or_else(|| printed.split_once("\n\n"))
        .ok_or_else(|| Trouble::failed(format!("no body in\n{printed}")))?;
    let field = |name: &str| {
        let mut fields = head.lines().filter_map(|line| line.split_once(": "));
        let found = fields.find(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value.trim_end())
    };
    let body = body.trim_end();
    ensure(field("X-Tenant") == "42", || {
        format!("no tenant in\n{printed}")
    })?;
    ensure(body == r#"{"order":1001,"paid":true}"#, || body.to_owned())?;
    let key = STANDARD.decode(SECRET).map_err(io::Error::other)?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    let (id, at) = (field("webhook-id"), field("webhook-timestamp"));
    let tag = hmac::sign(&key, format!("{id}.{at}.{body}").as_bytes());
    let want = format!("v1,{}", STANDARD.encode(tag));
    ensure(field("webhook-signature") == want, || {
        format!("the signature is not {want} in\n{printed}")
    })
}

/// README's command that runs Hookah, on a port of the system's choice.
pub fn started(line: &str) -> std::result::Result<Server, Trouble> {
    // A server is not waited for as long as a build may take.
    run(cargo().args(["build", "--release"]))?;
    let mut command = pasted(&format!("exec {line}"));
    command.env("HOOKAH_PORT", "0");
    command.env("HOOKAH_STORE", "memory");
    Ok(Server::spawn(command))
}

pub fn readme() -> io::Result<String> {
    fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md"))
}

/// The lines of README's block of that name.
pub fn part<'a>(readme: &'a str, name: &str) -> std::result::Result<&'a str, Trouble> {
    let begin = format!("<!-- {name} -->\n```");
    let found = readme
        .split_once(&begin)
        .and_then(|(_, rest)| rest.split_once('\n')?.1.split_once("\n```"));
    let (lines, _) = found.ok_or_else(|| Trouble::failed(format!("README has no {name}")))?;
    Ok(lines)
}

/// The lines that put a load on it: wrk posts, and every answer is a 202.
pub fn load() -> Result {
    needs("wrk", "wrk")?;
    let readme = readme()?;
    let server = started(part(&readme, "run")?)?;
    let folder = std::env::temp_dir().join(format!("hookah-load-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let lines = part(&readme, "load")?.replace(SERVER, &server.addr().to_string());
    let said = run(pasted(&lines).current_dir(&folder));
    std::fs::remove_dir_all(&folder)?;
    let said = said?;
    let fine = !said.contains("Non-2xx") && !said.contains("Socket errors");
    ensure(fine, || said.clone())?;
    let rate = said.lines().find(|line| line.starts_with("Requests/sec:"));
    Ok(rate.unwrap_or_default().to_owned())
}

/// A line as a command in the project's folder. After `exec` the shell gives its place to the
/// line's program, and so does `cargo run`: whoever signals the command means that program.
pub fn pasted(line: &str) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", line])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("CARGO_TERM_QUIET", "true");
    command
}

/// README's target as a process of its own.
pub struct Example {
    /// `127.0.0.1:PORT`, or `localhost:PORT` with TLS.
    pub authority: String,
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Example {
    /// Builds it if need be, and starts it on a free port.
    pub fn start() -> std::result::Result<Example, Trouble> {
        Example::start_as("target")
    }

    /// The same for README's block of that name.
    fn start_as(name: &str) -> std::result::Result<Example, Trouble> {
        let readme = readme()?;
        let line = part(&readme, name)?;
        let dashes = if line.contains(" -- ") { "" } else { "--" };
        let mut command = pasted(&format!("exec {line} {dashes} 0"));
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let stdout = child.stdout.take();
        let (sender, lines) = channel();
        let mut example = Example {
            authority: String::new(),
            child,
            lines,
            seen: Vec::new(),
        };
        thread::spawn(move || {
            for line in stdout
                .into_iter()
                .flat_map(|pipe| BufReader::new(pipe).lines())
            {
                let _ = line.map(|line| sender.send(line));
            }
        });
        let first = example.lines.recv_timeout(LENGTHY_MAX).unwrap_or_default();
        let authority = first
            .split_once("://")
            .map(|(_, authority)| authority.to_owned());
        example.authority = authority
            .ok_or_else(|| Trouble::failed(format!("the target does not start: {first:?}")))?;
        Ok(example)
    }

    /// The process's id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it prints a line with that in it.
    pub fn prints(&mut self, part: &str) -> std::result::Result<(), Trouble> {
        while let Ok(line) = self.lines.recv_timeout(Duration::from_secs(10)) {
            self.seen.push(line);
            if self.seen.last().is_some_and(|line| line.contains(part)) {
                return Ok(());
            }
        }
        Err(Trouble::failed(format!(
            "{part:?} is not in\n{}",
            self.seen.join("\n")
        )))
    }

    /// Ends it; everything it printed.
    pub fn stop(&mut self) -> String {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.seen.extend(self.lines.iter());
        self.seen.join("\n")
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
