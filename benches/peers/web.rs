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

/// Where Debian's libnginx-mod-nchan and others put the module.
const NCHAN_PLACES: &[&str] = &[
    "/usr/lib/nginx/modules/ngx_nchan_module.so",
    "/usr/lib64/nginx/modules/ngx_nchan_module.so",
    "/usr/local/nginx/modules/ngx_nchan_module.so",
];

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
    let port = free_port()?;
    let text = nginx_text(dir, port);
    nginx_recipe("nginx", program, dir, port, &text).map(Some)
}

/// nginx with one worker and nchan's streams of one topic; `None` when either is not installed.
/// `/sub` has the stream, `/pub` publishes; up to `connections` at once.
pub fn nchan(dir: &Path, connections: usize) -> io::Result<Option<Recipe>> {
    let module = NCHAN_PLACES
        .iter()
        .map(Path::new)
        .find(|file| file.is_file());
    let (Some(program), Some(module)) = (on_path("nginx"), module) else {
        return Ok(None);
    };
    let port = free_port()?;
    // With fewer than a sixteenth free, nginx closes those that have not asked yet.
    let text = nchan_text(dir, port, module, connections + connections / 4);
    nginx_recipe("nchan", program, dir, port, &text).map(Some)
}

fn nginx_recipe(
    name: &'static str,
    program: PathBuf,
    dir: &Path,
    port: u16,
    text: &str,
) -> io::Result<Recipe> {
    let config = dir.join(format!("{name}.conf"));
    fs::write(&config, text)?;
    let (config, dir_text) = (config.display().to_string(), dir.display().to_string());
    let errors = format!("{dir_text}/error.log");
    let args = ["-p", &dir_text, "-c", &config, "-e", &errors];
    Ok(Recipe {
        name,
        program,
        args: args.map(str::to_owned).to_vec(),
        dir: dir.into(),
        port: Port::Chosen(port),
    })
}

/// The kernel chooses; that another process takes the port in between is possible and shows as
/// a failed start.
fn free_port() -> io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
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
    let temp = temp_paths(dir);
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
{temp}
  server {{
    listen 127.0.0.1:{port};
    location / {{ return 200; }}
  }}
}}
"
    )
}

/// It keeps as many messages, for as long, as Hookah does unless told.
fn nchan_text(dir: &Path, port: u16, module: &Path, connections: usize) -> String {
    let temp = temp_paths(dir);
    let (dir, module) = (dir.display(), module.display());
    format!(
        "load_module {module};
daemon off;
worker_processes 1;
pid {dir}/nchan.pid;
error_log stderr crit;
events {{ worker_connections {connections}; }}
http {{
  access_log off;
  keepalive_timeout 600s;
  keepalive_requests 1000000000;
{temp}
  server {{
    listen 127.0.0.1:{port};
    location = /pub {{
      nchan_publisher;
      nchan_channel_id t;
      nchan_message_buffer_length 100;
      nchan_message_timeout 1h;
    }}
    location = /sub {{
      nchan_subscriber http-chunked eventsource;
      nchan_channel_id t;
      nchan_subscriber_first_message newest;
    }}
  }}
}}
"
    )
}

fn temp_paths(dir: &Path) -> String {
    let dir = dir.display();
    let names = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let lines = names.map(|name| format!("  {name}_temp_path {dir}/{name};"));
    lines.join("\n")
}

/// Looks in PATH and in /usr/sbin, where Debian puts servers but not every user's PATH looks.
fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let dirs = env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    dirs.map(|dir| dir.join(name)).find(|file| file.is_file())
}
