//! Stories of lanes and the guard over real sockets, all of them on loopback: what may be called,
//! what a refusal says, how a lane is looked at, paused and resumed.

#[path = "support/server.rs"]
mod server;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use server::{Server, read_all};

/// The answer to a request on a connection of its own.
fn ask(server: &Server, method: &str, path: &str, body: &str) -> String {
    let mut client = TcpStream::connect(server.addr()).unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: hookah\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    client.write_all(head.as_bytes()).unwrap();
    read_all(&mut client)
}

/// The status and the body of the answer.
fn told(server: &Server, method: &str, path: &str, body: &str) -> (u16, String) {
    let answer = ask(server, method, path, body);
    let status = answer.get(9..12).and_then(|text| text.parse().ok());
    let body = answer
        .split_once("\r\n\r\n")
        .map(|(_, body)| body.to_owned());
    status.zip(body).unwrap_or_else(|| panic!("{answer:?}"))
}

fn dispatch(server: &Server, addr: SocketAddr, options: &str) -> (u16, String) {
    told(
        server,
        "POST",
        "/dispatch",
        &format!("_url=http://{addr}/hook&a=b{options}"),
    )
}

/// `http://addr` as it stands in a path, and what is done with its lane.
fn lane(addr: SocketAddr, verb: &str) -> String {
    format!(
        "/lanes/{}/{verb}",
        format!("http://{addr}")
            .replace(':', "%3A")
            .replace('/', "%2F")
    )
}

fn listener() -> (TcpListener, SocketAddr) {
    let target = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = target.local_addr().unwrap();
    (target, addr)
}

/// Takes one call and answers 200; the call's first line.
fn take_call(target: &TcpListener) -> String {
    let (mut call, _) = target.accept().unwrap();
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"a=b") {
        let mut part = [0; 512];
        let count = call.read(&mut part).unwrap();
        assert!(count > 0, "{:?}", String::from_utf8_lossy(&bytes));
        bytes.extend_from_slice(&part[..count]);
    }
    call.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        .unwrap();
    String::from_utf8_lossy(&bytes)
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned()
}

#[test]
fn the_start_says_what_may_be_called() {
    for (flags, line) in [
        (
            &["--port", "0"][..],
            "targets: local (loopback listener); use --targets public if URLs come from strangers",
        ),
        (&["--port", "0", "--targets", "public"], "targets: public"),
        (
            &["--listen", "0.0.0.0:0", "--insecure-no-auth"],
            "targets: public (others can reach the listener); use --targets local to call private \
             ones too",
        ),
    ] {
        let mut server = Server::with(flags);
        assert_eq!(server.line_with("targets: "), line);
    }
}

#[test]
fn a_forbidden_target_is_a_403_with_class_and_flag() {
    let (target, addr) = listener();
    target.set_nonblocking(true).unwrap();
    let public = Server::with(["--port", "0", "--targets", "public"]);
    let (status, body) = dispatch(&public, addr, "");
    assert_eq!(status, 403, "{body}");
    let says = format!("(loopback); to allow it: --targets local, or --allow-target {addr}");
    assert!(body.contains(&says), "{body}");
    let local = Server::start();
    let (status, body) = dispatch(&local, addr, "&_targets=public");
    assert_eq!(status, 403, "{body}");
    assert!(body.contains("leave out targets=public"), "{body}");
    let (status, body) = dispatch(&local, addr, "&_targets=local");
    assert_eq!(status, 400, "{body}");
    assert!(body.contains("allowed: public"), "{body}");
    let (status, body) = told(
        &local,
        "POST",
        "/dispatch",
        &format!(
            "_url=http://{addr}/&_url=http://0x7f.1:{}/",
            local.addr().port()
        ),
    );
    assert_eq!(status, 403, "{body}");
    assert!(body.contains("own listener"), "{body}");
    let denying = Server::with(["--port", "0", "--deny-target", "127.0.0.0/8"]);
    let (status, body) = dispatch(&denying, addr, "");
    assert_eq!(status, 403, "{body}");
    assert!(
        body.contains("leave out --deny-target 127.0.0.0/8"),
        "{body}"
    );
    assert!(target.accept().is_err(), "somebody called");
}

#[test]
fn every_listener_is_our_own_also_when_it_listens_everywhere() {
    let flags = [
        "--listen",
        "0.0.0.0:0",
        "--insecure-no-auth",
        "--targets",
        "local",
    ];
    let server = Server::with(flags);
    let addr = SocketAddr::new([127, 0, 0, 1].into(), server.addr().port());
    let (status, body) = dispatch(&server, addr, "");
    assert_eq!(status, 403, "{body}");
    assert!(body.contains("own listener"), "{body}");
}

#[test]
fn an_exception_opens_what_it_names() {
    let (target, addr) = listener();
    let flag = addr.to_string();
    let server = Server::with([
        "--port",
        "0",
        "--targets",
        "public",
        "--allow-target",
        &flag,
    ]);
    assert_eq!(dispatch(&server, addr, "").0, 202);
    assert_eq!(take_call(&target), "POST /hook HTTP/1.1");
    let (_other, addr) = listener();
    assert_eq!(dispatch(&server, addr, "").0, 403);
}

#[test]
fn a_paused_lane_waits_until_it_is_resumed() {
    let (target, addr) = listener();
    let server = Server::start();
    let (status, body) = told(&server, "POST", &lane(addr, "pause"), "");
    assert_eq!(status, 200);
    let row = |waiting: u32, paused: bool| {
        format!(
            "{{\"origin\":\"http://{addr}\",\"waiting\":{waiting},\"in_flight\":0,\"idle\":0,\
             \"breaker\":\"closed\",\"paused\":{paused}}}"
        )
    };
    assert_eq!(body, row(0, true) + "\n");
    assert_eq!(dispatch(&server, addr, "").0, 202);
    let (status, body) = told(&server, "GET", "/lanes", "");
    assert_eq!(status, 200);
    assert_eq!(
        body,
        format!("{{\"lanes\":[{}],\"next\":null}}\n", row(1, true))
    );
    let (status, body) = told(&server, "POST", &lane(addr, "resume"), "");
    assert_eq!((status, body), (200, row(1, false) + "\n"));
    assert_eq!(take_call(&target), "POST /hook HTTP/1.1");
}

#[test]
fn lanes_come_in_pages() {
    let server = Server::start();
    for port in [7001, 7002, 7003] {
        let addr = SocketAddr::new([127, 0, 0, 1].into(), port);
        assert_eq!(told(&server, "POST", &lane(addr, "pause"), "").0, 200);
    }
    let (_, first) = told(&server, "GET", "/lanes?limit=2", "");
    assert_eq!(first.matches("origin").count(), 2, "{first}");
    let (_, cursor) = first.split_once("\"next\":\"").unwrap();
    let (cursor, _) = cursor.split_once('"').unwrap();
    let (_, second) = told(
        &server,
        "GET",
        &format!("/lanes?limit=2&cursor={cursor}"),
        "",
    );
    assert!(second.contains("127.0.0.1:7003"), "{second}");
    assert!(second.contains("\"next\":null"), "{second}");
}

#[test]
fn what_is_no_lane_is_refused() {
    let server = Server::start();
    let addr = SocketAddr::new([127, 0, 0, 1].into(), 7001);
    let rows = [
        ("POST", lane(addr, "resume"), 404),
        ("POST", lane(addr, "stop"), 404),
        ("POST", "/lanes/nonsense/pause".to_owned(), 400),
        ("POST", "/lanes/".to_owned(), 404),
        ("POST", "/lanes".to_owned(), 405),
        ("GET", lane(addr, "pause"), 405),
        ("GET", "/lanes?limit=0".to_owned(), 400),
        ("GET", "/lanes?limit=1001".to_owned(), 400),
        ("GET", "/lanes?cursor=-1".to_owned(), 400),
    ];
    for (method, path, status) in rows {
        let (got, body) = told(&server, method, &path, "");
        assert_eq!(got, status, "{method} {path}: {body}");
    }
    assert_eq!(
        told(&server, "GET", "/lanes", "").1,
        "{\"lanes\":[],\"next\":null}\n"
    );
}
