//! A headless Chromium that is told what to do, by its DevTools protocol over two named pipes.
//! It keeps whatever the page complains of: errors, warnings, breaches of its policy, failures.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::process::run;
use crate::report::Trouble;

/// A browser may take its time to start; nothing else takes that long.
const PATIENCE: Duration = Duration::from_secs(40);

type Result<T> = std::result::Result<T, Trouble>;

/// A browser with one page, and a profile of its own that ends with it.
pub struct Chromium {
    child: Child,
    folder: PathBuf,
    to: File,
    from: Receiver<Value>,
    last: u64,
    session: Option<String>,
    complaints: Vec<String>,
}

impl Chromium {
    /// Starts it with an empty page.
    pub fn open() -> Result<Chromium> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("hookah-devtools-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder)?;
        let [to, from] = ["to", "from"].map(|name| folder.join(name));
        run(Command::new("mkfifo").args([&to, &from]))?;
        // Each open waits for the other end, so both sides open them in the same order.
        let script = "exec chromium \"$@\" 3<\"$TO\" 4>\"$FROM\"";
        let child = Command::new("sh")
            .args(["-c", script, "sh", "--remote-debugging-pipe"])
            .args(["--headless=new", "--no-first-run", "--disable-gpu"])
            // Everything it visits is ours, and root may not have a sandbox.
            .args(["--no-sandbox", "--disable-dev-shm-usage"])
            .args(["--disable-background-networking", "--disable-sync"])
            .arg(format!(
                "--user-data-dir={}",
                folder.join("profile").display()
            ))
            // Nothing but loopback has an address for it.
            .arg("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
            .envs([("TO", &to), ("FROM", &from)])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let to = File::options().write(true).open(to)?;
        let from = events(File::open(from)?);
        let mut it = Chromium {
            child,
            folder,
            to,
            from,
            last: 0,
            session: None,
            complaints: vec![],
        };
        let page = it.call("Target.createTarget", json!({"url": "about:blank"}))?;
        let attach = json!({"targetId": page["targetId"], "flatten": true});
        let attached = it.call("Target.attachToTarget", attach)?;
        it.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Audits", "Network"] {
            it.call(&format!("{domain}.enable"), json!({}))?;
        }
        Ok(it)
    }

    /// Goes there.
    pub fn visit(&mut self, url: &str) -> Result<()> {
        self.call("Page.navigate", json!({"url": url}))?;
        self.until("document.readyState === 'complete'")
    }

    /// What a script gives, once it is settled.
    pub fn evaluate(&mut self, script: &str) -> Result<Value> {
        let params = json!({"expression": script, "awaitPromise": true, "returnByValue": true});
        let done = self.call("Runtime.evaluate", params)?;
        match done.get("exceptionDetails") {
            Some(why) => Err(Trouble::failed(format!("{script}: {why}"))),
            None => Ok(done["result"]["value"].clone()),
        }
    }

    /// Waits until that holds on the page.
    pub fn until(&mut self, script: &str) -> Result<()> {
        let began = Instant::now();
        while self.evaluate(script)? != Value::Bool(true) {
            if began.elapsed() > PATIENCE {
                let text = self.evaluate("document.body.innerText")?;
                return Err(Trouble::failed(format!(
                    "not within {PATIENCE:?}: {script}; complaints: {:?}; the page: {text}",
                    self.complaints
                )));
            }
            thread::sleep(Duration::from_millis(30));
        }
        Ok(())
    }

    /// What the page has complained of since this was last asked.
    pub fn complaints(&mut self) -> Result<Vec<String>> {
        // Whatever was said before this is answered has come.
        self.evaluate("0")?;
        Ok(std::mem::take(&mut self.complaints))
    }

    /// How the page looks at that width, light or dark, in a file of the folder that
    /// `HOOKAH_PICTURES` names, if it names one.
    pub fn picture(&mut self, name: &str, width: u32, scheme: &str) -> Result<()> {
        self.dress(width, scheme)?;
        let Some(folder) = std::env::var_os("HOOKAH_PICTURES") else {
            return Ok(());
        };
        let params = json!({"format": "png", "captureBeyondViewport": true});
        let taken = self.call("Page.captureScreenshot", params)?;
        let data = taken["data"].as_str().unwrap_or_default();
        let mut decoder = Command::new("base64")
            .arg("-d")
            .stdin(Stdio::piped())
            .stdout(File::create(
                PathBuf::from(folder).join(format!("{name}.png")),
            )?)
            .spawn()?;
        if let Some(mut stdin) = decoder.stdin.take() {
            stdin.write_all(data.as_bytes())?;
        }
        decoder.wait()?;
        Ok(())
    }

    /// Gives the page that width, and a reader who likes it light or dark.
    pub fn dress(&mut self, width: u32, scheme: &str) -> Result<()> {
        let size = json!({"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": false});
        self.call("Emulation.setDeviceMetricsOverride", size)?;
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.call("Emulation.setEmulatedMedia", media)?;
        Ok(())
    }

    /// Says one thing and waits for its answer.
    fn call(&mut self, method: &str, params: Value) -> Result<Value> {
        self.last += 1;
        let mut said = json!({"id": self.last, "method": method, "params": params});
        if let Some(session) = &self.session {
            said["sessionId"] = session.as_str().into();
        }
        self.to.write_all(format!("{said}\0").as_bytes())?;
        loop {
            let told = self.from.recv_timeout(PATIENCE);
            let told = told.map_err(|_| Trouble::failed(format!("no answer to {method}")))?;
            if told["id"] == self.last {
                return match told.get("error") {
                    Some(why) => Err(Trouble::failed(format!("{method}: {why}"))),
                    None => Ok(told["result"].clone()),
                };
            }
            self.complaints.extend(complaint(&told));
        }
    }
}

/// What is wrong, if an event says so.
fn complaint(event: &Value) -> Option<String> {
    let params = &event["params"];
    let is_wrong = match event["method"].as_str()? {
        "Runtime.exceptionThrown" | "Audits.issueAdded" => true,
        "Runtime.consoleAPICalled" => params["type"] != "log",
        "Log.entryAdded" => params["entry"]["level"] != "info",
        _ => false,
    };
    is_wrong.then(|| params.to_string())
}

/// What it tells, as it comes: JSON, each with a NUL behind it.
fn events(from: File) -> Receiver<Value> {
    let (tell, told) = channel();
    thread::spawn(move || -> io::Result<()> {
        let mut from = BufReader::new(from);
        loop {
            let mut text = vec![];
            if from.read_until(0, &mut text)? == 0 {
                return Ok(());
            }
            text.pop();
            if let Ok(value) = serde_json::from_slice(&text) {
                let _ = tell.send(value);
            }
        }
    });
    told
}

impl Drop for Chromium {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // Its helpers may still be writing when it has ended.
        let began = Instant::now();
        while self.folder.exists() && began.elapsed() < Duration::from_secs(5) {
            let _ = fs::remove_dir_all(&self.folder);
            thread::sleep(Duration::from_millis(5));
        }
    }
}
