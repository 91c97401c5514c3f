//! Clients by a Unix socket: who answers there, and what becomes of its file.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use crate::caller::{LAST, plainly};
use crate::server::{Server, read_all, run};

/// A path of its own, in a folder of its own.
fn path(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("hookah-doors-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir(&folder).unwrap();
    folder.join("h.sock")
}

fn serving(path: &Path) -> Server {
    Server::with([format!("--listen=unix:{}", path.display())])
}

fn ask(path: &Path, request: &str) -> String {
    let mut client = UnixStream::connect(path).unwrap();
    client.write_all(request.as_bytes()).unwrap();
    read_all(&mut client)
}

#[test]
fn it_answers_and_leaves_no_file_behind() {
    let path = path("answers");
    let mut server = serving(&path);
    let greeting = server.line_with("try: curl --unix-socket ");
    assert!(
        greeting.ends_with(" http://localhost/dispatch"),
        "{greeting}"
    );
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    assert!(ask(&path, LAST).starts_with("HTTP/1.1 200 OK\r\n"));
    // A large answer, and a stream that is ended by the drain.
    let mut reader = UnixStream::connect(&path).unwrap();
    let request = "GET /stream?topic=a HTTP/1.1\r\nHost: localhost\r\n\r\n";
    reader.write_all(request.as_bytes()).unwrap();
    let order = "POST /dispatch?_topic=a HTTP/1.1\r\nHost: localhost\r\n\
                 Content-Type: text/plain\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx";
    assert!(ask(&path, order).starts_with("HTTP/1.1 202 "));
    server.signal("TERM");
    let (status, _) = server.wait();
    assert!(status.success());
    assert!(read_all(&mut reader).contains("x"));
    assert!(!path.exists(), "removed at a clean end");
    fs::remove_dir_all(path.parent().unwrap()).unwrap();
}

#[test]
fn a_file_left_by_a_kill_is_replaced_and_one_in_use_is_not() {
    let path = path("killed");
    let server = serving(&path);
    server.signal("KILL");
    server.wait();
    assert!(path.exists(), "nobody could remove it");
    let _server = serving(&path);
    assert!(ask(&path, LAST).starts_with("HTTP/1.1 200 OK\r\n"));
    let ran = run([format!("--listen=unix:{}", path.display())]);
    assert_eq!(ran.code, Some(69));
    assert!(
        ran.stderr.contains("is taken by another process"),
        "{}",
        ran.stderr
    );
    assert!(ask(&path, LAST).starts_with("HTTP/1.1 200 OK\r\n"));
}

#[test]
fn what_is_no_socket_is_never_removed() {
    let path = path("precious");
    fs::write(&path, "precious").unwrap();
    let ran = run([format!("--listen=unix:{}", path.display())]);
    assert_eq!(ran.code, Some(78));
    assert!(ran.stderr.contains("is there already"), "{}", ran.stderr);
    assert_eq!(fs::read(&path).unwrap(), b"precious");
    assert!(!fs::metadata(&path).unwrap().file_type().is_socket());
    fs::remove_dir_all(path.parent().unwrap()).unwrap();
}

#[test]
fn it_stands_beside_a_port() {
    let path = path("beside");
    let unix = format!("--listen=unix:{}", path.display());
    let server = Server::with([&*unix, "--listen=127.0.0.1:0"]);
    assert!(ask(&path, LAST).starts_with("HTTP/1.1 200 OK\r\n"));
    assert!(plainly(&server, 0, LAST).starts_with("HTTP/1.1 200 OK\r\n"));
    drop(server);
    fs::remove_dir_all(path.parent().unwrap()).unwrap();
}
