//! A real browser at the other end: headless Chromium with a page of ours that reads a stream with
//! EventSource and tells us what it sees. The page and the browser are on loopback.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use crate::peer::{Client, metric, until};
use crate::process::needs;
use crate::report::{Result, Trouble, ensure};
use crate::server::Server;

/// A browser may take its time to start.
const PATIENCE: Duration = Duration::from_secs(60);
/// What the page tells EventSource to wait before it connects anew: the server is back by then.
const RETRY_MS: u32 = 3_000;

/// EventSource over a restart: what was published while it was away comes by its Last-Event-ID.
pub fn reconnects() -> Result {
    needs("chromium", "chromium")?;
    let page = Page::open()?;
    let origin = page.origin();
    let flags = |listen: &str| ["--listen", listen, "--cors-origin", &origin].map(String::from);
    let server = Server::with(flags("127.0.0.1:0"));
    let addr = server.addr();
    page.show(format!(
        "const stream = new EventSource('http://{addr}/stream?topic=news&retry={RETRY_MS}');
         stream.onopen = () => tell('open');
         stream.onerror = () => tell('error ' + stream.readyState);
         stream.onmessage = (it) => tell(it.lastEventId.length + ' ' + JSON.parse(it.data).data.n);"
    ));
    let _browser = Browser::visit(&format!("{origin}/"))?;
    page.expect("open")?;
    let publish = |n: u32| Client::connect(addr)?.dispatch(&format!("_topic=news&n={n}"));
    publish(1)?;
    page.expect("30 1")?;
    server.signal("KILL");
    server.wait();
    page.expect("error 0")?;
    let server = Server::with(flags(&addr.to_string()));
    publish(2)?;
    let away = metric(addr, "hookah_streams")? == 0;
    page.expect("open")?;
    page.expect("30 2")?;
    publish(3)?;
    page.expect("30 3")?;
    drop(server);
    ensure(away, || {
        "the browser was back before the second message".to_owned()
    })?;
    Ok("1 before the restart, 2 while it was away, 3 after it, each once and in order".to_owned())
}

/// A browser that is refused for want of places comes back by itself and is let in.
pub fn waits_for_a_place() -> Result {
    needs("chromium", "chromium")?;
    let page = Page::open()?;
    let origin = page.origin();
    let flags = ["--listen", "127.0.0.1:0", "--max-streams", "1"];
    let server = Server::with(flags.iter().chain(&["--cors-origin", &origin]));
    let addr = server.addr();
    let mut first = Client::connect(addr)?;
    first.send(b"GET /stream?topic=news HTTP/1.1\r\nHost: hookah\r\n\r\n")?;
    until("the place is taken", PATIENCE, || {
        Ok(metric(addr, "hookah_streams")? == 1)
    })?;
    page.show(format!(
        "const stream = new EventSource('http://{addr}/stream?topic=news');
         stream.onerror = () => tell('error ' + stream.readyState);
         stream.onmessage = (it) => tell(JSON.parse(it.data).data.n);"
    ));
    let _browser = Browser::visit(&format!("{origin}/"))?;
    // 0 is CONNECTING: it will try again; 2 would be CLOSED for good.
    page.expect("error 0")?;
    drop(first);
    until("the browser is in", PATIENCE, || {
        Ok(metric(addr, "hookah_streams")? == 1)
    })?;
    Client::connect(addr)?.dispatch("_topic=news&n=1")?;
    page.expect("1")?;
    Ok("refused once, let in when there was a place".to_owned())
}

/// Our own site: it gives the page, and takes what the page tells.
struct Page {
    port: u16,
    told: Receiver<String>,
    script: Sender<String>,
}

impl Page {
    fn open() -> io::Result<Page> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let (tell, told) = channel();
        let (script, scripts) = channel();
        thread::spawn(move || {
            let mut script = String::new();
            for stream in listener.incoming() {
                script = scripts.try_iter().last().unwrap_or(script);
                // What a browser asks beside the page is none of our business.
                let _ = stream.and_then(|stream| answer(stream, &script, &tell));
            }
        });
        Ok(Page { port, told, script })
    }

    fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What the page does from now on.
    fn show(&self, script: String) {
        let _ = self.script.send(script);
    }

    /// The next thing it tells.
    fn expect(&self, what: &str) -> std::result::Result<(), Trouble> {
        let told = self.told.recv_timeout(PATIENCE);
        let told = told.map_err(|_| Trouble::failed(format!("the page never told {what:?}")))?;
        ensure(told == what, || {
            format!("the page told {told:?}, not {what:?}")
        })
    }
}

/// One request, one answer, and the end.
fn answer(stream: TcpStream, script: &str, tell: &Sender<String>) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut stream = BufReader::new(stream);
    let (mut asked, mut length) = (String::new(), 0);
    stream.read_line(&mut asked)?;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap_or(0);
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let body = match asked.split(' ').take(2).collect::<Vec<_>>()[..] {
        ["POST", "/told"] => {
            let mut told = vec![0; length];
            stream.read_exact(&mut told)?;
            let _ = tell.send(String::from_utf8_lossy(&told).into_owned());
            String::new()
        }
        ["GET", "/"] => format!(
            "<!doctype html><title>page</title><script>
             let last = Promise.resolve();
             function tell(text) {{
                 last = last.then(() => fetch('/told', {{method: 'POST', body: String(text)}}));
             }}
             {script}
             </script>"
        ),
        _ => String::new(),
    };
    let length = body.len();
    write!(
        stream.get_mut(),
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    )
}

/// A headless Chromium with a profile of its own; it ends with the check.
struct Browser {
    child: Child,
    profile: PathBuf,
}

impl Browser {
    fn visit(url: &str) -> io::Result<Browser> {
        let name = format!("hookah-browser-{}-{}", std::process::id(), port_of(url));
        let profile = std::env::temp_dir().join(name);
        let child = Command::new("chromium")
            .args(["--headless=new", "--no-first-run", "--disable-gpu"])
            // Everything it visits is ours, and root may not have a sandbox.
            .args(["--no-sandbox", "--disable-dev-shm-usage"])
            .args(["--disable-background-networking", "--disable-sync"])
            .arg(format!("--user-data-dir={}", profile.display()))
            // Nothing but loopback has an address for it.
            .arg("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
            .arg(url)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Browser { child, profile })
    }
}

fn port_of(url: &str) -> &str {
    let digits = url.trim_end_matches('/').rsplit(':').next();
    digits.unwrap_or_default()
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        remove(&self.profile);
    }
}

/// Its helpers may still be writing when it has ended.
fn remove(profile: &Path) {
    let _ = until("its profile is gone", Duration::from_secs(5), || {
        let _ = std::fs::remove_dir_all(profile);
        Ok(!profile.exists())
    });
}
