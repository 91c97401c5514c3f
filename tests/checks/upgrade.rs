//! A process takes another's place while wrk posts as fast as it can: what its clients see of it.
//! What README says of units is looked at by systemd's own eyes.

use std::collections::HashSet;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::lasting::site::Site;
use crate::peer::{Target, metric, until};
use crate::process::{self, needs, run};
use crate::report::{Result, Trouble, ensure};
use crate::server::Server;

/// Connections of wrk, over two threads.
const LINES: usize = 32;
/// Each process has wrk for itself for so long.
const APART: Duration = Duration::from_secs(3);
/// How long clients may be told to come again.
const AWAY_MAX: f64 = 1.0;
/// What wrk runs: each request is a message of its own, and each status is counted. The time of
/// the first and last refusal is the machine's.
const SCRIPT: &str = r#"
local threads = {}
function setup(thread)
  thread:set("number", #threads)
  table.insert(threads, thread)
end
function init(args)
  url, sent, taken, refused, other, first, last = args[1], 0, 0, 0, 0, 0, 0
  ffi = require("ffi")
  ffi.cdef("typedef struct { long s; long ns; } time_s; int clock_gettime(int, time_s *);")
  time = ffi.new("time_s")
  kind = "application/x-www-form-urlencoded"
end
function request()
  sent = sent + 1
  local body = "_url=" .. url .. "&n=" .. number .. "x" .. sent
  return wrk.format("POST", "/dispatch", {["Content-Type"] = kind, ["Host"] = "localhost"}, body)
end
function response(status, headers, body)
  if status == 202 then
    taken = taken + 1
  elseif status == 503 and headers["Retry-After"] == "1" then
    ffi.C.clock_gettime(1, time)
    last = tonumber(time.s) + tonumber(time.ns) / 1e9
    if first == 0 then first = last end
    refused = refused + 1
  else
    other = other + 1
  end
end
function done(summary, latency, requests)
  local taken, refused, other, first, last = 0, 0, 0, 1e18, 0
  for _, thread in ipairs(threads) do
    taken = taken + thread:get("taken")
    refused = refused + thread:get("refused")
    other = other + thread:get("other")
    if thread:get("first") > 0 then first = math.min(first, thread:get("first")) end
    last = math.max(last, thread:get("last"))
  end
  local e = summary.errors
  print(string.format("taken=%d refused=%d other=%d away=%.3f", taken, refused, other,
    refused > 0 and last - first or 0))
  print(string.format("connect=%d read=%d write=%d timeout=%d slowest=%.3f",
    e.connect, e.read, e.write, e.timeout, latency.max / 1e6))
end
"#;

/// A number that wrk's script has printed.
fn number(said: &str, name: &str) -> std::result::Result<f64, Trouble> {
    let mut words = said.split_whitespace();
    let found = words.find_map(|word| word.strip_prefix(name)?.strip_prefix('=')?.parse().ok());
    found.ok_or_else(|| Trouble::failed(format!("no {name} in {said}")))
}

/// The socket stays open, the new process comes, the old one goes.
pub fn under_load() -> Result {
    needs("wrk", "wrk")?;
    let site = Site::new("upgrade")?;
    let script = site.dir.join("post.lua");
    fs::write(&script, SCRIPT)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let addr = listener.local_addr()?;
    let store = format!("sqlite:{}", site.dir.join("hookah.db").display());
    let flags = ["--store", &store, "--log", "warn"];
    let target = Target::open()?;
    let first = Server::handed(listener.try_clone()?, &flags);
    let mut wrk = Command::new("wrk");
    let seconds = format!("-d{}s", 3 * APART.as_secs());
    wrk.args(["-t2", &format!("-c{LINES}"), &seconds, "-s"])
        .arg(&script)
        .args([
            &format!("http://{addr}"),
            "--",
            &target.form("")[5..].replace('&', ""),
        ])
        .stdin(Stdio::null());
    let load = thread::spawn(move || run(&mut wrk));
    thread::sleep(APART);
    let second = Server::handed(listener.try_clone()?, &flags);
    let asked = Instant::now();
    first.signal("TERM");
    let (status, left) = first.wait();
    let drained = asked.elapsed();
    let said = load.join().map_err(|_| Trouble::failed("wrk's thread"))??;
    let taken = number(&said, "taken")?;
    until("all is delivered", Duration::from_secs(60), || {
        Ok(metric(addr, "hookah_deliveries_waiting")? == 0)
    })?;
    let came: HashSet<String> = target.bodies().into_iter().collect();
    let errors = ["connect", "read", "write", "timeout", "other"];
    let errors: std::result::Result<Vec<f64>, _> =
        errors.iter().map(|name| number(&said, name)).collect();
    let errors = errors?;
    let (refused, away) = (number(&said, "refused")?, number(&said, "away")?);
    let slowest = number(&said, "slowest")?;
    drop(second);
    let found = format!(
        "{taken} taken, {} delivered; socket errors: connect {}, read {}, write {}, timeout {}; \
         other answers {}; 503 {refused} times within {away:.2} s; slowest answer {slowest:.2} s; \
         the old process ended {drained:.2?} after SIGTERM",
        came.len(),
        errors[0],
        errors[1],
        errors[2],
        errors[3],
        errors[4],
    );
    let fine = errors.iter().all(|count| *count == 0.0)
        && away <= AWAY_MAX
        && taken > 1_000.0
        && came.len() as f64 >= taken
        && status.code() == Some(0);
    ensure(fine, || format!("{found}\n{left}\n{said}"))?;
    Ok(found)
}

/// What README has for systemd is what systemd understands.
pub fn units() -> Result {
    needs("systemd-analyze", "systemd")?;
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md"))?;
    let site = Site::new("units")?;
    let mut paths = Vec::new();
    for (part, name) in [("unit", "hookah.service"), ("socket", "hookah.socket")] {
        let rest = readme.split_once(&format!("<!-- {part} -->\n```ini\n"));
        let text = rest.and_then(|(_, rest)| rest.split_once("```"));
        let (text, _) = text.ok_or_else(|| Trouble::failed(format!("no {part} in README")))?;
        let binary = env!("CARGO_BIN_EXE_hookah");
        let path = site.dir.join(name);
        fs::write(&path, text.replace("/usr/local/bin/hookah", binary))?;
        paths.push(path);
    }
    let mut verify = Command::new("systemd-analyze");
    let output = verify.arg("verify").args(&paths).output()?;
    let said = process::text(&output);
    let own: Vec<&str> = said
        .lines()
        .filter(|line| line.contains("hookah"))
        .collect();
    ensure(output.status.success() && own.is_empty(), || said.clone())?;
    let mut security = Command::new("systemd-analyze");
    let output = security
        .args(["security", "--offline=true"])
        .arg(&paths[0])
        .output()?;
    let text = process::text(&output);
    let overall = text
        .lines()
        .rev()
        .find(|line| line.contains("exposure level"));
    let overall = overall
        .unwrap_or("this systemd does not judge exposure")
        .trim();
    Ok(format!("both are understood; {overall}"))
}
