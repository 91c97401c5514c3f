//! Sockets that a service manager has opened and hands over.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Command;
use std::time::Duration;

use super::*;
use crate::folder::Folder;
use crate::server::{handed, run_command};

fn listener() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port")
}

/// What becomes of a start with that socket for descriptor 3.
fn refused(socket: impl Into<OwnedFd>, flags: &[&str]) -> (Option<i32>, String) {
    let mut command = handed(socket, env!("CARGO_BIN_EXE_hookah"));
    let output = command.args(flags).output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), said)
}

#[test]
fn a_socket_that_is_handed_over_takes_the_place_of_the_usual_address() {
    let listener = listener();
    let addr = listener.local_addr().unwrap();
    // Whoever came before it was started waits in the socket's queue.
    let mut early = Client::connect(addr);
    early.send("GET /health HTTP/1.1\r\nHost: h\r\n\r\n");
    let server = Server::handed(listener, &[]);
    assert_eq!(server.addrs(), [addr]);
    assert_eq!(early.answer().status, 200);
    assert_eq!(get(&server, "/health").status, 200);
    server.signal("TERM");
    drop(early);
    assert_eq!(server.wait().0.code(), Some(0));
}

#[test]
fn an_address_that_is_asked_for_comes_beside_it() {
    let server = Server::handed(listener(), &["--listen", "127.0.0.1:0"]);
    assert_eq!(server.addrs().len(), 2);
    for addr in server.addrs() {
        TcpStream::connect(addr).expect("it listens");
    }
}

/// What that process has taken in, asked at an address of its own.
fn accepted(server: &Server) -> u64 {
    let own = server.addrs()[1];
    let request = "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n";
    let answer = Client::connect(own).send(request).answer();
    let name = "hookah_messages_accepted_total ";
    let line = answer.body.lines().find_map(|it| it.strip_prefix(name));
    line.expect("a counter").parse().expect("a number")
}

/// They have one queue of connections, so the end of one takes nobody with it.
#[test]
fn two_processes_may_share_a_port_with_a_store_each() {
    let listener = listener();
    let addr = listener.local_addr().unwrap();
    let folder = Folder::new();
    let start = |file: &str| {
        let store = format!("sqlite:{}", folder.path().join(file).display());
        let flags = ["--store", &store, "--listen", "127.0.0.1:0"];
        Server::handed(listener.try_clone().unwrap(), &flags)
    };
    let post = |count: u64| {
        for _ in 0..count {
            let answer = Client::connect(addr).send(form("_topic=t&a=1")).answer();
            assert_eq!(answer.status, 202, "{answer:?}");
        }
    };
    let (first, second) = (start("a.db"), start("b.db"));
    post(40);
    let shared = accepted(&second);
    assert_eq!(accepted(&first) + shared, 40);
    first.signal("TERM");
    assert_eq!(first.wait().0.code(), Some(0));
    post(20);
    assert_eq!(accepted(&second), shared + 20);
}

#[test]
fn a_unix_socket_may_be_handed_over_and_its_file_stays() {
    let folder = Folder::new();
    let path = folder.path().join("s");
    let mut server = Server::handed(UnixListener::bind(&path).unwrap(), &["--port=0"]);
    let line = server.line_with("store: ");
    assert!(line.contains("memory"), "{line}");
    UnixStream::connect(&path).expect("it listens");
    server.signal("TERM");
    assert_eq!(server.wait().0.code(), Some(0));
    assert!(path.exists(), "the file is the manager's");
}

#[test]
fn whatever_cannot_be_listened_on_is_refused_in_words() {
    let stream = {
        let listener = listener();
        TcpStream::connect(listener.local_addr().unwrap()).unwrap()
    };
    let sockets: [(OwnedFd, &str); 3] = [
        (
            UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().into(),
            "is a socket for datagrams or the like",
        ),
        (stream.into(), "does not listen"),
        (
            std::fs::File::open("/dev/null").unwrap().into(),
            "is no socket",
        ),
    ];
    for (socket, why) in sockets {
        let (code, said) = refused(socket, &[]);
        assert_eq!(code, Some(78), "{said}");
        let text = format!(
            "hookah: LISTEN_FDS: descriptor 3 () {why}; allowed: TCP and Unix stream sockets that \
             listen\n"
        );
        assert_eq!(said, text);
    }
    let mut command = Command::new("sh");
    let script = "export LISTEN_FDS=one LISTEN_PID=$$; exec \"$0\" --store memory";
    let ran = run_command(command.args(["-c", script, env!("CARGO_BIN_EXE_hookah")]));
    assert_eq!(ran.code, Some(78), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("\"one\" is no number of sockets"),
        "{}",
        ran.stderr
    );
}

#[test]
fn an_address_that_others_reach_needs_consent_though_another_has_opened_it() {
    let open = TcpListener::bind("0.0.0.0:0").unwrap();
    let addr = open.local_addr().unwrap();
    let (code, said) = refused(open, &[]);
    assert_eq!(code, Some(78), "{said}");
    let begin = format!("hookah: {addr} can be reached from other machines");
    assert!(said.starts_with(&begin), "{said}");
    let open = TcpListener::bind("0.0.0.0:0").unwrap();
    let mut server = Server::handed(open, &["--insecure-no-auth"]);
    let line = server.line_with("targets: ");
    assert!(line.starts_with("targets: public"), "{line}");
}

#[test]
fn sockets_for_another_process_are_left_alone() {
    let mut command = server::hookah();
    command.args(["--port", "0"]);
    command.env("LISTEN_FDS", "1").env("LISTEN_PID", "1");
    let server = Server::spawn(command);
    assert_eq!(get(&server, "/health").status, 200);
}

#[test]
fn a_bound_that_is_read_anew_holds_for_a_listener_that_is_there() {
    let folder = Folder::new();
    let path = folder.path().join("h.toml");
    std::fs::write(&path, "stall-timeout = \"1s\"\n").unwrap();
    let (ours, listener) = {
        let listener = listener();
        (listener.try_clone().unwrap(), listener)
    };
    let flags = ["--config", path.to_str().unwrap()];
    let mut server = Server::handed(listener, &flags);
    let silence = || socket2::SockRef::from(&ours).tcp_user_timeout().unwrap();
    assert_eq!(silence(), Some(Duration::from_secs(2)));
    std::fs::write(&path, "stall-timeout = \"60s\"\n").unwrap();
    server.signal("HUP");
    server.line_with("reload_done");
    assert_eq!(silence(), Some(Duration::from_secs(120)));
}

#[test]
fn a_socket_without_a_file_is_named_as_curl_wants_it() {
    use std::os::linux::net::SocketAddrExt;
    let name = format!("hookah-{}", std::process::id());
    let addr = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
    let mut server = Server::handed(UnixListener::bind_addr(&addr).unwrap(), &["--port=0"]);
    let line = server.line_with("try: ");
    assert!(
        line.contains(&format!("--abstract-unix-socket {name} -d")),
        "{line}"
    );
    let mut stream = UnixStream::connect_addr(&addr).unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut told = String::new();
    stream.read_to_string(&mut told).unwrap();
    let line = format!("curl --abstract-unix-socket {name} ");
    assert!(told.contains(&line), "{told}");
}

#[test]
fn a_start_that_fails_says_so_in_the_form_of_the_log() {
    let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let (code, said) = refused(udp, &["--log-format", "json"]);
    let last = said.lines().last().unwrap_or_default();
    let end = format!("\"exit_code\":{}}}", code.unwrap());
    assert!(last.starts_with("{\"time\":"), "{said}");
    assert!(
        last.contains("\"event\":\"failed\",\"text\":\"LISTEN_FDS: "),
        "{said}"
    );
    assert!(last.ends_with(&end), "{said}");
}
