//! What a service manager does and hears: the units of README, with a small manager of our own.

use std::fs;
use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use super::*;
use crate::folder::Folder;
use crate::server::handed;

/// How long word is waited for. A bound on failure, never on success.
const PATIENCE: Duration = Duration::from_secs(60);

/// The ears of a manager.
struct Manager {
    socket: UnixDatagram,
}

impl Manager {
    fn new(folder: &Folder) -> Manager {
        let socket = UnixDatagram::bind(folder.path().join("notify")).expect("a socket");
        socket.set_read_timeout(Some(PATIENCE)).expect("a socket");
        Manager { socket }
    }

    /// The next that is said.
    fn hears(&self) -> String {
        let mut bytes = [0; 4096];
        let count = self.socket.recv(&mut bytes).expect("it says something");
        String::from_utf8_lossy(&bytes[..count]).into_owned()
    }

    /// The next that is said and is no sign of life.
    fn hears_news(&self) -> String {
        loop {
            let said = self.hears();
            if said != "WATCHDOG=1" {
                return said;
            }
        }
    }
}

/// The part of README of that name.
fn part(name: &str) -> String {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md"));
    let readme = readme.expect("README.md");
    let rest = readme.split_once(&format!("<!-- {name} -->"));
    let (_, rest) = rest.unwrap_or_else(|| panic!("README has no {name}"));
    let (part, _) = rest.split_once("<!-- /").expect("its end");
    part.to_owned()
}

/// The value of a line of a unit.
fn setting(unit: &str, name: &str) -> String {
    let mut lines = unit.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    value
        .unwrap_or_else(|| panic!("no {name} in {unit}"))
        .to_owned()
}

#[test]
fn the_unit_of_the_readme_starts_reloads_lives_and_stops() {
    let folder = Folder::new();
    let manager = Manager::new(&folder);
    let unit = part("unit");
    assert_eq!(setting(&unit, "Type"), "notify");
    assert!(setting(&unit, "WatchdogSec").ends_with('s'));
    let line = setting(&unit, "ExecStart");
    let line = line.replace("/var/lib/hookah", &folder.path().display().to_string());
    let mut words = line.split(' ');
    assert_eq!(words.next(), Some("/usr/local/bin/hookah"));
    // The unit's socket, but on a port that is free.
    let stream = setting(&part("socket"), "ListenStream");
    let (host, _) = stream.rsplit_once(':').expect("a port");
    let listener = TcpListener::bind(format!("{host}:0")).unwrap();
    let addr = listener.local_addr().unwrap();
    let mut command = handed(listener, env!("CARGO_BIN_EXE_hookah"));
    command
        .args(words)
        .env("LISTEN_FDNAMES", "hookah.socket")
        .env("NOTIFY_SOCKET", folder.path().join("notify"))
        .env("WATCHDOG_USEC", "400000");
    let mut server = Server::watch(command);

    let ready = format!("READY=1\nSTATUS=Listening on http://{addr}");
    assert_eq!(manager.hears_news(), ready);
    assert_eq!(manager.hears(), "WATCHDOG=1");
    assert_eq!(manager.hears(), "WATCHDOG=1");
    assert!(setting(&unit, "ExecReload").ends_with("kill -HUP $MAINPID"));
    server.signal("HUP");
    let reloading = manager.hears_news();
    let time = reloading
        .strip_prefix("RELOADING=1\nMONOTONIC_USEC=")
        .map(str::lines);
    let time = time.and_then(|mut lines| lines.next()?.parse::<u64>().ok());
    assert!(time.is_some_and(|time| time > 0), "{reloading}");
    assert_eq!(manager.hears_news(), ready);
    server.line_with("reload_done ");
    assert_eq!(get(&server, "/ready").status, 200);
    server.signal("TERM");
    let stopping = manager.hears_news();
    let expected = "STOPPING=1\nEXTEND_TIMEOUT_USEC=23000000\n";
    assert!(stopping.starts_with(expected), "{stopping}");
    let (status, said) = server.wait();
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(folder.file().exists(), "the store is where the unit says");
}

#[test]
fn whoever_waits_for_the_store_says_so_and_then_that_it_has_it() {
    let folder = Folder::new();
    let first = folder.server(&[]);
    let manager = Manager::new(&folder);
    let mut command = server::hookah();
    command
        .args(["--port", "0", "--takeover", "--store"])
        .arg(format!("sqlite:{}", folder.file().display()))
        .env("NOTIFY_SOCKET", folder.path().join("notify"))
        .env("WATCHDOG_USEC", "100000")
        .env("WATCHDOG_PID", "1");
    let second = Server::spawn(command);
    let (addr, id) = (second.addr(), first.id());
    let listening = format!("Listening on http://{addr}");
    let file = folder.file();
    let expected = format!(
        "READY=1\nSTATUS={listening}; waits until process {id} releases {}",
        file.display()
    );
    // The signs of life are for another process.
    assert_eq!(manager.hears(), expected);
    first.signal("TERM");
    first.wait();
    assert_eq!(manager.hears(), format!("STATUS={listening}"));
    second.signal("TERM");
    assert!(manager.hears().starts_with("STOPPING=1\n"));
    second.wait();
}

#[test]
fn the_line_of_the_dockerfile_is_a_line_that_works() {
    let text = part("dockerfile");
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("ENTRYPOINT "));
    let words: Vec<String> = serde_json::from_str(line.expect("a line")).expect("a list");
    let folder = Folder::new();
    let tokens = folder.path().join("tokens");
    let minted = server::run(["token", "new", "any", "dispatch"]);
    fs::write(&tokens, minted.stdout).unwrap();
    let words = words.iter().skip(1).map(|word| match &**word {
        "0.0.0.0:8080" => "0.0.0.0:0".to_owned(),
        "/data/tokens" => tokens.display().to_string(),
        word => word.to_owned(),
    });
    let server = Server::with(words);
    let addr = ([127, 0, 0, 1], server.addr().port()).into();
    let health = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assert_eq!(Client::connect(addr).send(health).answer().status, 200);
}
