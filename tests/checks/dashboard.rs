//! The page at `/` in a real browser, and the lines of its text in a real shell.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::devtools::Chromium;
use crate::peer::{Client, Target};
use crate::process::{needs, text};
use crate::report::{Result, Trouble, ensure};
use crate::server::{Server, hookah};

type Done = std::result::Result<(), Trouble>;

/// A folder with a store, that ends with its check.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> io::Result<Folder> {
        let path = std::env::temp_dir().join(format!("hookah-{name}-{}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Folder(path))
    }

    fn server(&self, listen: &str, flags: &[&str]) -> Server {
        let store = format!("--store=sqlite:{}", self.0.join("hookah.db").display());
        let usual = ["--listen", listen, &store];
        Server::with(usual.iter().chain(flags))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What pages that trust their server too much would run.
const HOSTILE: &str = "<img src=x onerror=\"window.hacked=1\"><script>window.hacked=1</script>";

/// The page from its first look to its server's end and return.
pub fn works() -> Result {
    needs("chromium", "chromium")?;
    let (folder, target) = (Folder::new("page")?, Target::open()?);
    let server = folder.server("127.0.0.1:0", &[]);
    let addr = server.addr();
    let mut page = Chromium::open()?;
    page.dress(1_300, "light")?;
    page.visit(&format!("http://{addr}/"))?;
    page.until(LIVE)?;
    page.evaluate(&format!("window.tops = {TOPS}"))?;
    quiet(&mut page, "at the start")?;
    send_and_resend(&mut page, &target)?;
    watch(&mut page)?;
    hostile(&mut page, addr, &target)?;
    steer(&mut page)?;
    subscribe(&mut page, &target)?;
    quiet(&mut page, "after its use")?;
    looks(&mut page)?;
    // It is the same page all the while.
    page.evaluate("window.same = 1")?;
    server.signal("KILL");
    server.wait();
    page.until("document.getElementById('state').textContent === 'reconnecting…'")?;
    let server = folder.server(&addr.to_string(), &[]);
    page.until(LIVE)?;
    page.until("document.querySelectorAll('#messages tbody tr').length >= 3")?;
    let form = target.form("_label=afterwards&a=1");
    Client::connect(server.addr())?.dispatch(&form)?;
    page.until(&row("messages", "afterwards", "delivered"))?;
    // The topic's messages go on where they stopped.
    Client::connect(server.addr())?.dispatch("_topic=news&title=back")?;
    page.until("document.getElementById('seen').textContent.includes('back')")?;
    let same = page.evaluate("window.same === 1 && window.hacked === undefined")?;
    ensure(same == Value::Bool(true), || {
        "it was loaded anew, or worse".to_owned()
    })?;
    Ok(
        "sent, resent, watched, steered; nothing of peers' ran; live again after kill -9"
            .to_owned(),
    )
}

/// Its stream is there.
const LIVE: &str = "document.getElementById('state').textContent === 'live'";

/// Where its parts begin.
const TOPS: &str = "[...document.querySelectorAll('section')].map((it) => \
                    it.getBoundingClientRect().top + scrollY).join()";

/// Whether a panel has a row with both texts.
fn row(panel: &str, one: &str, other: &str) -> String {
    let (one, other) = (Value::from(one), Value::from(other));
    format!(
        "[...document.querySelectorAll('#{panel} tbody tr')].some((row) => \
         row.innerText.includes({one}) && row.innerText.includes({other}))"
    )
}

/// Fills a form in and sends it, as a person would.
fn fill(page: &mut Chromium, form: &str, fields: &[(&str, &str)]) -> Done {
    let fields: Value = fields
        .iter()
        .map(|(name, value)| (*name, *value))
        .map(|(name, value)| (name.to_owned(), Value::from(value)))
        .collect();
    page.evaluate(&format!(
        "(() => {{
            const form = document.getElementById('{form}');
            for (const [name, value] of Object.entries({fields})) form.elements[name].value = value;
            form.querySelector('button').click();
        }})()"
    ))?;
    Ok(())
}

/// Presses the first button of that name in the row with that text.
fn press(page: &mut Chromium, panel: &str, text: &str, name: &str) -> Done {
    let text = Value::from(text);
    page.until(&format!(
        "(() => {{
            const row = [...document.querySelectorAll('#{panel} tbody tr')]
                .find((row) => row.innerText.includes({text}));
            const button = row && [...row.querySelectorAll('button')]
                .find((button) => button.textContent === '{name}');
            if (button) button.click();
            return !!button;
        }})()"
    ))
}

fn quiet(page: &mut Chromium, when: &str) -> Done {
    let complaints = page.complaints()?;
    ensure(complaints.is_empty(), || format!("{when}: {complaints:?}"))
}

fn send_and_resend(page: &mut Chromium, target: &Target) -> Done {
    let url = target.url();
    fill(
        page,
        "send",
        &[("_url", &url), ("body", "hello=world\n_label=mine")],
    )?;
    page.until(&row("messages", "mine", "delivered"))?;
    target.wait(1)?;
    page.until("document.querySelector('#send output').textContent.startsWith('Taken as msg_')")?;
    press(page, "messages", "mine", "Resend")?;
    target.wait(2)?;
    page.until(
        "[...document.querySelectorAll('#messages tbody tr')].filter((row) => \
         row.innerText.includes('delivered')).length === 2",
    )?;
    // One that waits can be called off.
    fill(
        page,
        "send",
        &[("_url", &url), ("body", "_delay=1h&_label=later&a=1")],
    )?;
    page.until(&row("messages", "later", "scheduled"))?;
    press(page, "messages", "later", "Cancel")?;
    page.until(&row("messages", "later", "canceled"))?;
    press(page, "messages", "later", "later")?;
    page.until(
        "document.querySelector('dialog[open] pre')?.textContent.includes('\"deliveries\"')",
    )?;
    page.evaluate("document.querySelector('dialog[open] button').click()")?;
    Ok(())
}

fn watch(page: &mut Chromium) -> Done {
    fill(page, "watch", &[("topic", "news")])?;
    page.until("document.querySelector('#watch output').textContent === 'Watching news'")?;
    fill(
        page,
        "publish",
        &[("_topic", "news"), ("body", "title=hello")],
    )?;
    page.until(
        "document.querySelector('#seen li')?.textContent.includes('{\"title\":\"hello\"}')",
    )?;
    // EventSource would not show one that has an event's name.
    fill(
        page,
        "publish",
        &[("_topic", "news"), ("body", "title=named&_event=order")],
    )?;
    page.until("document.querySelector('#seen li')?.textContent.includes('named')")?;
    page.until(&row("topics", "news", "Watch"))
}

fn hostile(page: &mut Chromium, addr: SocketAddr, target: &Target) -> Done {
    let escaped: String = HOSTILE.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let form = target.form(&format!("_label={escaped}&a=1"));
    let mut client = Client::connect(addr)?;
    client.dispatch(&form)?;
    client.dispatch(&format!("_topic={escaped}&a={escaped}"))?;
    page.until(&row("messages", HOSTILE, "delivered"))?;
    page.until(&row("messages", HOSTILE, "published"))?;
    press(page, "topics", HOSTILE, "Watch")?;
    let seen = "document.querySelector('#seen li')?.textContent.includes('window.hacked') === true";
    page.until(seen)?;
    press(page, "topics", "news", "Watch")?;
    page.until("document.querySelector('#seen li')?.textContent.includes('named') === true")?;
    let well = page.evaluate(
        "window.hacked === undefined && document.querySelectorAll('img').length === 0 \
         && document.querySelectorAll('script').length === 1",
    )?;
    ensure(well == Value::Bool(true), || {
        "what peers wrote became elements".to_owned()
    })
}

fn steer(page: &mut Chromium) -> Done {
    press(page, "lanes", "http://", "Pause")?;
    page.until(&row("lanes", "paused", "Resume"))?;
    press(page, "lanes", "paused", "Resume")?;
    page.until(&row("lanes", "closed", "Pause"))
}

fn subscribe(page: &mut Chromium, target: &Target) -> Done {
    let fields = [("hub.topic", "news"), ("hub.callback", &*target.url())];
    fill(page, "subscribe", &fields)?;
    page.until("document.querySelector('#subscribe output').textContent.startsWith('Taken;')")
}

/// Labels, widths and stillness; and pictures for whoever wants to see it.
fn looks(page: &mut Chromium) -> Done {
    let nameless = page.evaluate(
        "[...document.querySelectorAll('input, select, textarea, button')].filter((it) => \
         !it.labels?.length && !it.textContent.trim()).map((it) => it.outerHTML).join()",
    )?;
    ensure(nameless == "", || format!("without a label: {nameless}"))?;
    let twice = page.evaluate(
        "(() => { const ids = [...document.querySelectorAll('[id]')].map((it) => it.id); \
         return ids.filter((it, at) => ids.indexOf(it) !== at).join(); })()",
    )?;
    ensure(twice == "", || format!("ids that are there twice: {twice}"))?;
    let moved = page.evaluate(&format!("window.tops !== {TOPS}"))?;
    ensure(moved == Value::Bool(false), || {
        "its parts have moved".to_owned()
    })?;
    for (width, name) in [(1_300, "wide"), (390, "phone")] {
        for scheme in ["light", "dark"] {
            page.picture(&format!("{name}-{scheme}"), width, scheme)?;
        }
        let wide = page.evaluate("document.documentElement.scrollWidth")?;
        ensure(wide.as_u64() <= Some(width.into()), || {
            format!("{wide} of {width} px")
        })?;
    }
    page.dress(1_300, "light")
}

/// A page that is asked for a token, and shows what that one may see.
pub fn tokens() -> Result {
    needs("chromium", "chromium")?;
    let folder = Folder::new("page-tokens")?;
    let [all, reads, news] = [
        &["all", "admin"][..],
        &["reads", "read"],
        &["news", "publish:news", "subscribe:news"],
    ]
    .map(token);
    let file = folder.0.join("tokens");
    let lines = [&all, &reads, &news].map(|token| token.0.as_str());
    fs::write(&file, lines.concat())?;
    let path = file.to_string_lossy().into_owned();
    let server = folder.server("127.0.0.1:0", &["--tokens", &path]);
    let mut page = Chromium::open()?;
    page.dress(1_300, "light")?;
    page.visit(&format!("http://{}/", server.addr()))?;
    sign_in(&mut page, &all.1)?;
    page.visit(&format!("http://{}/", server.addr()))?;
    page.until(LIVE)?;
    page.evaluate("document.getElementById('leave').click()")?;
    page.until("!document.getElementById('door').hidden && sessionStorage.length === 0")?;
    page.until("document.querySelectorAll('tbody tr').length === 0")?;
    with_few_rights(&mut page, &reads.1, &news.1)?;
    Ok("asked, refused, let in; read and subscribe show what they may; signed out".to_owned())
}

/// With a wrong token, then with one that may do everything.
fn sign_in(page: &mut Chromium, secret: &str) -> Done {
    page.until("!document.getElementById('door').hidden")?;
    page.picture("door", 1_300, "light")?;
    fill(page, "door", &[("token", "hk_wrong")])?;
    page.until("document.getElementById('asks').textContent.includes('oken')")?;
    page.until("document.getElementById('state').textContent === 'not signed in'")?;
    page.complaints()?;
    fill(page, "door", &[("token", secret)])?;
    page.until(LIVE)?;
    fill(
        page,
        "publish",
        &[("_topic", "news"), ("body", "title=kept")],
    )?;
    page.until(&row("messages", "news", "published"))?;
    press(page, "topics", "news", "Watch")?;
    page.until("document.getElementById('seen').textContent.includes('kept')")?;
    quiet(page, "with a token")?;
    let secret = Value::from(secret);
    let kept = page.evaluate(&format!(
        "sessionStorage.length === 1 && localStorage.length === 0 && document.cookie === '' \
         && !location.href.includes({secret}) && !document.body.innerText.includes({secret})"
    ))?;
    ensure(kept == Value::Bool(true), || {
        "the token is where it should not be".to_owned()
    })?;
    Ok(())
}

/// What is not allowed says which right it takes; all else goes on.
fn with_few_rights(page: &mut Chromium, reads: &str, news: &str) -> Done {
    fill(page, "door", &[("token", reads)])?;
    page.until(LIVE)?;
    press(page, "messages", "news", "Resend")?;
    page.until("document.querySelector('dialog[open] pre')?.textContent.includes('dispatch')")?;
    page.evaluate("document.querySelector('dialog[open] button').click()")?;
    page.evaluate("document.getElementById('leave').click()")?;
    page.until("!document.getElementById('door').hidden")?;
    fill(page, "door", &[("token", news)])?;
    page.until(
        "[...document.querySelectorAll('#panels .hint')].every((it) => \
         it.textContent.includes('right: read is missing'))",
    )?;
    fill(page, "watch", &[("topic", "news")])?;
    page.until("document.getElementById('seen').textContent.includes('kept')")?;
    fill(page, "watch", &[("topic", "other")])?;
    page.until("document.querySelector('#watch output').textContent.includes('subscribe')")?;
    fill(page, "publish", &[("_topic", "other"), ("body", "a=1")])?;
    page.until("document.querySelector('#publish output').textContent.includes('publish')")?;
    Ok(())
}

/// A token that the binary makes: its line and its secret.
fn token(words: &[&str]) -> (String, String) {
    let made = hookah().args(["token", "new"]).args(words).output();
    let made = made.expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let secret = text(&made.stderr)
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned();
    (text(&made.stdout), secret)
}

/// Every line of the text that curl gets, pasted into a shell: by a port, by a socket, with tokens.
pub fn pasted() -> Result {
    needs("curl", "curl")?;
    let folder = Folder::new("pasted")?;
    let all = token(&["all", "admin"]);
    let file = folder.0.join("tokens");
    fs::write(&file, &all.0)?;
    let (tokens, socket) = (file.to_string_lossy(), folder.0.join("h's socket"));
    let listen = format!("unix:{}", socket.display());
    let mut pasted = 0;
    for flags in [
        &[][..],
        &["--listen", &listen, "--listen", "127.0.0.1:0"],
        &["--tokens", &tokens],
        &["--listen", "[::1]:0"],
    ] {
        let server = Server::with(flags.iter().chain(match flags {
            ["--listen", ..] => &[][..],
            _ => &["--port", "0"],
        }));
        let by_socket = flags.contains(&&*listen);
        let mut first = Command::new("curl");
        first.args(["-sS", &format!("http://{}/", server.addr())]);
        if by_socket {
            first.arg("--unix-socket").arg(&socket);
        }
        let about = text(&first.output()?);
        let curl = about.lines().filter_map(|line| line.strip_prefix("  "));
        let lines: Vec<&str> = curl.filter(|line| line.starts_with("curl ")).collect();
        ensure(lines.len() == 5, || about.clone())?;
        ensure(by_socket == about.contains("--unix-socket"), || {
            about.clone()
        })?;
        for line in lines {
            paste(line, &all.1)?;
            pasted += 1;
        }
    }
    Ok(format!("{pasted} lines"))
}

fn paste(line: &str, secret: &str) -> Done {
    // What curl was told, and a status that fails it; a stream is read for a second.
    let script = line.replacen("curl ", "curl -sS --fail-with-body -m 2 ", 1);
    let output = Command::new("bash")
        .args(["-c", &script])
        .env("TOKEN", secret)
        .stdin(Stdio::null())
        .output()?;
    let said = text(&output);
    let is_stream = line.contains("/stream");
    let well = match is_stream {
        true => said.starts_with("\r\ntitle=hello\r\n"),
        false => output.status.success(),
    };
    ensure(well, || format!("{line}: {}: {said}", output.status))
}
