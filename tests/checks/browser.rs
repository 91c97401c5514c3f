//! A real browser at the other end: headless Chromium with a page of ours that reads a stream with
//! EventSource and tells us what it sees. The page and the browser are on loopback.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use crate::peer::{Client, Target, metric, until};
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
    first.send(b"GET /stream?topic=news HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
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

/// A page of another site tries what pages can: nothing of it is taken, and all of it is counted.
/// The same page, once its origin is listed, sends with a preflight and reads what comes back.
pub fn foreign() -> Result {
    needs("chromium", "chromium")?;
    let target = Target::open()?;
    let kept_out = attempt(&target, &[], TRIES)?;
    let (page, _browser, server) = &kept_out;
    let addr = server.addr();
    for told in [
        "form refused",
        "simple refused",
        "json refused",
        "events 2",
        "frame done",
    ] {
        page.expect(told)?;
    }
    // The form of the frame, the simple POST and the stream; of the JSON only its preflight.
    until("all of it is refused", PATIENCE, || {
        Ok(metric(addr, "hookah_origins_foreign_total")? >= 5)
    })?;
    let taken = metric(addr, "hookah_messages_accepted_total")?;
    let streams = metric(addr, "hookah_streams")?;
    ensure(taken == 0 && streams == 0, || {
        format!("{taken} messages were taken, {streams} streams opened")
    })?;
    drop(kept_out);
    let (page, _browser, server) = attempt(&target, &["--cors-origin"], ALLOWED)?;
    page.expect("open")?;
    page.expect("json 202 30")?;
    page.expect("refusal 400")?;
    page.expect("event 1")?;
    target.wait(1)?;
    let refused = metric(server.addr(), "hookah_origins_foreign_total")?;
    ensure(refused == 0, || format!("{refused} were refused"))?;
    Ok("form, no-cors POST, JSON and EventSource refused; with --cors-origin all taken".to_owned())
}

/// What a page of another site can do without a word of ours: `URL` is Hookah's, `FORM` a dispatch.
const TRIES: &str = "
    const post = {method: 'POST', body: 'FORM'};
    const type = {'Content-Type': 'application/x-www-form-urlencoded'};
    fetch('URL/dispatch', {...post, headers: type})
        .then(() => tell('form read'), () => tell('form refused'))
        .then(() => fetch('URL/dispatch', {...post, mode: 'no-cors', headers: type}))
        .then(() => tell('simple refused'))
        .then(() => fetch('URL/dispatch', {method: 'POST', body: '{}',
            headers: {'Content-Type': 'application/json', Authorization: 'Bearer abc'}}))
        .then(() => tell('json read'), () => tell('json refused'))
        .then(() => {
            const stream = new EventSource('URL/stream?topic=news');
            stream.onerror = () => { tell('events ' + stream.readyState); submit(); };
        });
    function submit() {
        const frame = document.createElement('iframe');
        frame.name = 'frame';
        document.body.append(frame);
        const form = document.createElement('form');
        form.action = 'URL/dispatch';
        form.method = 'POST';
        form.target = 'frame';
        for (const [name, value] of new URLSearchParams('FORM')) {
            const field = document.createElement('input');
            field.name = name;
            field.value = value;
            form.append(field);
        }
        document.body.append(form);
        frame.onload = () => tell('frame done');
        form.submit();
    }";

/// What it does where it is welcome.
const ALLOWED: &str = "
    const stream = new EventSource('URL/stream?topic=news');
    stream.onmessage = (it) => tell('event ' + JSON.parse(it.data).data.n);
    const send = (body) => fetch('URL/dispatch', {method: 'POST', body: JSON.stringify(body),
        headers: {'Content-Type': 'application/json', Authorization: 'Bearer abc',
            'Idempotency-Key': 'k' + JSON.stringify(body).length}});
    stream.onopen = () => {
        tell('open');
        send({_url: new URLSearchParams('FORM').get('_url')})
            .then((it) => tell('json ' + it.status + ' ' + it.headers.get('Hookah-Id').length))
            .then(() => send({_url: 'nonsense'}))
            .then((it) => tell('refusal ' + it.status))
            .then(() => send({_topic: 'news', n: 1}));
    };";

/// A browser at a page that runs `script`, and the server that it is about; the page's origin is
/// the value of the last of `flags`, if there are any.
fn attempt(
    target: &Target,
    flags: &[&str],
    script: &str,
) -> std::result::Result<(Page, Browser, Server), Trouble> {
    let page = Page::open()?;
    let origin = page.origin();
    let value = flags.first().map(|_| &*origin);
    let listen = ["--listen", "127.0.0.1:0"];
    let server = Server::with(
        listen
            .iter()
            .copied()
            .chain(flags.iter().copied())
            .chain(value),
    );
    let url = format!("http://{}", server.addr());
    let script = script.replace("URL/", &format!("{url}/"));
    page.show(script.replace("FORM", &target.form("")));
    let browser = Browser::visit(&format!("{origin}/"))?;
    Ok((page, browser, server))
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
            "<!doctype html><title>page</title><body><script>
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
