//! The foreign programs: wrk, which posts, and nginx, the web server beside which intake stands.
//! It never insists on them: what is not installed is left out with a word on how to get it.

use std::env;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::server::{Port, Recipe};
use crate::wire::FIELDS;

/// wrk with its script.
pub struct Wrk {
    program: PathBuf,
    script: PathBuf,
}

/// What wrk counted.
pub struct Counted {
    pub requests: f64,
    pub seconds: f64,
}

impl Wrk {
    /// Finds wrk and writes its script into `dir`; `None` when it is not installed.
    pub fn find(dir: &Path) -> io::Result<Option<Wrk>> {
        let Some(program) = on_path("wrk") else {
            return Ok(None);
        };
        let script = dir.join("post.lua");
        fs::write(&script, script_text())?;
        Ok(Some(Wrk { program, script }))
    }

    /// Posts to `/dispatch` on `port` for `seconds` over `connections` kept-alive lines.
    /// Fails when an answer was no success or a line broke.
    pub fn post(&self, port: u16, connections: usize, seconds: u64) -> io::Result<Counted> {
        let output = Command::new(&self.program)
            .args([
                "-t1",
                &format!("-c{connections}"),
                &format!("-d{seconds}s"),
                "-s",
            ])
            .arg(&self.script)
            .arg(format!("http://127.0.0.1:{port}/dispatch"))
            .stdin(Stdio::null())
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let numbers = text.lines().find_map(|line| line.strip_prefix("counted "));
        let numbers = numbers.map(|line| line.split(' ').filter_map(|n| n.parse::<f64>().ok()));
        match numbers.map(Iterator::collect::<Vec<f64>>).as_deref() {
            Some(&[requests, micros, 0.0, 0.0]) if requests > 0.0 => Ok(Counted {
                requests,
                seconds: micros / 1e6,
            }),
            Some(&[requests, _, broken, refused]) => Err(io::Error::other(format!(
                "wrk: of {requests} requests {refused} were refused, {broken} broke off"
            ))),
            _ => Err(io::Error::other(format!(
                "wrk said: {text}{}",
                String::from_utf8_lossy(&output.stderr)
            ))),
        }
    }
}

/// nginx with one worker that answers 200 and logs nothing; `None` when it is not installed.
/// Its files are in `dir`.
pub fn nginx(dir: &Path) -> io::Result<Option<Recipe>> {
    let Some(program) = on_path("nginx") else {
        return Ok(None);
    };
    // The kernel chooses; that another process takes the port in between is possible and
    // shows as a failed start.
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port();
    let config = dir.join("nginx.conf");
    fs::write(&config, nginx_text(dir, port))?;
    let (config, dir_text) = (config.display().to_string(), dir.display().to_string());
    let errors = format!("{dir_text}/error.log");
    let args = ["-p", &dir_text, "-c", &config, "-e", &errors]
        .map(str::to_owned)
        .to_vec();
    Ok(Some(Recipe {
        name: "nginx",
        program,
        args,
        dir: dir.into(),
        port: Port::Chosen(port),
    }))
}

/// The same request every time, so that wrk formats it once. Nobody listens to the topic.
fn script_text() -> String {
    format!(
        r#"wrk.method = "POST"
wrk.body = "_topic=t&{FIELDS}"
wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"
function done(summary)
  local e = summary.errors
  io.write(string.format("counted %d %d %d %d\n", summary.requests, summary.duration,
    e.connect + e.read + e.write + e.timeout, e.status))
end
"#
    )
}

fn nginx_text(dir: &Path, port: u16) -> String {
    let dir = dir.display();
    format!(
        "daemon off;
worker_processes 1;
pid {dir}/nginx.pid;
error_log stderr;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  keepalive_timeout 600s;
  keepalive_requests 1000000000;
  client_body_temp_path {dir}/body;
  proxy_temp_path {dir}/proxy;
  fastcgi_temp_path {dir}/fastcgi;
  uwsgi_temp_path {dir}/uwsgi;
  scgi_temp_path {dir}/scgi;
  server {{
    listen 127.0.0.1:{port};
    location / {{ return 200; }}
  }}
}}
"
    )
}

/// Looks in PATH and in /usr/sbin, where Debian puts servers but not every user's PATH looks.
fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let dirs = env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    dirs.map(|dir| dir.join(name)).find(|file| file.is_file())
}
