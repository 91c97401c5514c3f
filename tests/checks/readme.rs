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

use crate::BUILD_MAX;
use crate::peer::{metric, until};
use crate::process::{needs, run};
use crate::report::{Result, Trouble, ensure};
use crate::server::Server;

/// The key of README's example secret.
const SECRET: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";
/// README's ports, for which others stand here.
const SERVER: &str = "127.0.0.1:8080";
const TARGET: &str = "localhost:9000";
const TLS_TARGET: &str = "localhost:9443";

pub fn commands() -> Result {
    needs("curl", "curl")?;
    let readme = readme()?;
    let lines = part(&readme, "curl")?;
    let mut target = Example::start()?;
    let server = started(part(&readme, "run")?);
    let addr = server.addr();
    let mut sent = 0;
    for line in lines.lines() {
        let line = line
            .replace(SERVER, &addr.to_string())
            .replace(TARGET, &target.authority);
        let answer = run(&mut pasted(&line))?;
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

/// The lines for https: what the target prints must verify, and so must what README shows of it.
pub fn secure() -> Result {
    needs("curl", "curl")?;
    let readme = readme()?;
    let lines = part(&readme, "https curl")?;
    let mut target = Example::start_as("https target")?;
    let server = started(part(&readme, "https run")?);
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

/// The lines of the hub's guide: a subscriber, a publisher, a stream, and what the target prints.
pub fn hub() -> Result {
    needs("curl", "curl")?;
    let readme = readme()?;
    let lines = part(&readme, "hub curl")?;
    let mut target = Example::start()?;
    let server = started(part(&readme, "run")?);
    let addr = server.addr();
    let until_it_is = |name: &str, want: u64| {
        let what = format!("{name} is {want}");
        until(&what, Duration::from_secs(10), || {
            Ok(metric(addr, name)? == want)
        })
    };
    for (n, line) in lines.lines().enumerate() {
        let line = line
            .replace(SERVER, &addr.to_string())
            .replace(TARGET, &target.authority);
        let answer = run(&mut pasted(&line))?;
        // What a person sees before the next line is pasted.
        match n {
            0 => until_it_is("hookah_verifications_confirmed_total", 1)?,
            2 => until_it_is("hookah_notices_delivered_total", 1)?,
            6 => until_it_is("hookah_notices_delivered_total", 2)?,
            7 => until_it_is("hookah_subscriptions", 1)?,
            _ => {}
        }
        let want = HUB_ANSWERS.get(n).copied().unwrap_or("?");
        let is_it = answer.contains(want) && (!want.is_empty() || answer.is_empty());
        ensure(is_it, || format!("{line}\n{answer}"))?;
    }
    ensure(lines.lines().count() == HUB_ANSWERS.len(), || {
        "there is another number of lines".to_owned()
    })?;
    let shown = part(&readme, "hub prints")?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"hush");
    let tag = hmac::sign(&key, br#"{"edition":1}"#);
    let digits: Vec<String> = tag.as_ref().iter().map(|it| format!("{it:02x}")).collect();
    let sealed = format!("X-Hub-Signature: sha256={}", digits.concat());
    let denied = "GET /orders?hub.mode=denied&hub.topic=orders";
    target.prints(denied)?;
    let printed = target.stop();
    for word in ["order=1001", "POST /inbox?reader=1 ", &sealed, denied] {
        ensure(printed.contains(word), || {
            format!("{word:?} is not in\n{printed}")
        })?;
    }
    ensure(shown.contains(&sealed), || format!("{sealed} in README"))?;
    Ok(format!(
        "{} lines, two deliveries, one denial",
        HUB_ANSWERS.len()
    ))
}

/// What the lines of the hub's guide are answered with, or a part of it.
const HUB_ANSWERS: [&str; 8] = [
    "",
    "",
    "",
    r#""last_status":200"#,
    r#"{"edition":1}"#,
    "",
    "202 Scheduled",
    r#"{"denied":1}"#,
];

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
fn started(line: &str) -> Server {
    let mut command = pasted(&format!("exec {line}"));
    command.env("HOOKAH_PORT", "0");
    Server::spawn(command)
}

fn readme() -> io::Result<String> {
    fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md"))
}

/// The lines of README's block of that name.
fn part<'a>(readme: &'a str, name: &str) -> std::result::Result<&'a str, Trouble> {
    let begin = format!("<!-- {name} -->\n```");
    let found = readme
        .split_once(&begin)
        .and_then(|(_, rest)| rest.split_once('\n')?.1.split_once("\n```"));
    let (lines, _) = found.ok_or_else(|| Trouble::failed(format!("README has no {name}")))?;
    Ok(lines)
}

/// A line as a command in the project's folder. After `exec` the shell gives its place to the
/// line's program, and so does `cargo run`: whoever signals the command means that program.
fn pasted(line: &str) -> Command {
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
        let first = example.lines.recv_timeout(BUILD_MAX).unwrap_or_default();
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
    fn prints(&mut self, part: &str) -> std::result::Result<(), Trouble> {
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
