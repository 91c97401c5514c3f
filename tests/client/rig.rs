//! What the stories stand on: a client that is run to its end or watched line by line, a target
//! that notes what it gets, and folders. It judges nothing.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use crate::server::{Ran, hookah};

/// A client of the server at that address.
pub fn client(server: &str, args: &[&str]) -> Command {
    let mut command = hookah();
    command.args(args).env("HOOKAH_SERVER", server);
    command.stdin(Stdio::null());
    command
}

/// How that address is written.
pub fn at(addr: SocketAddr) -> String {
    format!("http://{addr}")
}

/// Runs it to its end with that on stdin.
pub fn piped(command: &mut Command, input: &[u8]) -> Ran {
    command.stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    Ran {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Runs it to its end.
pub fn ran(server: &str, args: &[&str]) -> Ran {
    piped(&mut client(server, args), b"")
}

/// A client that goes on.
pub struct Running {
    pub child: Child,
    pub lines: Receiver<String>,
    pub said: Receiver<String>,
}

impl Running {
    pub fn start(mut command: Command) -> Running {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = reader(child.stdout.take().unwrap());
        let said = reader(child.stderr.take().unwrap());
        Running { child, lines, said }
    }

    /// The next line on stdout.
    pub fn line(&self) -> String {
        self.lines.recv().expect("it goes on")
    }

    /// Its stdin.
    pub fn stdin(&mut self) -> ChildStdin {
        self.child.stdin.take().unwrap()
    }

    /// Waits for its end: the exit code, what was left on stdout, all of stderr.
    pub fn end(mut self) -> (Option<i32>, Vec<String>, String) {
        let status = self.child.wait().unwrap();
        let said: Vec<String> = self.said.iter().collect();
        (status.code(), self.lines.iter().collect(), said.join("\n"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn reader(from: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = channel();
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    lines
}

/// A target that answers everything with that status and tells what it got.
pub fn target(status: u16) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (sender, got) = channel();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut stream = BufReader::new(stream);
            let (mut text, mut length) = (String::new(), 0);
            while stream.read_line(&mut text).unwrap_or(0) > 2 {
                let last = text.lines().last().unwrap_or_default();
                if let Some(value) = last.strip_prefix("Content-Length: ") {
                    length = value.parse().unwrap();
                }
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).unwrap();
            text += &String::from_utf8_lossy(&body);
            let answer =
                format!("HTTP/1.1 {status} Word\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            let _ = stream.get_mut().write_all(answer.as_bytes());
            let _ = sender.send(text);
        }
    });
    (url, got)
}

/// A folder of its own, removed in the end.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(name: &str) -> Folder {
        let id = std::process::id();
        let path = std::env::temp_dir().join(format!("hookah-client-{id}-{name}"));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path).unwrap();
        Folder(path)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// A file of that text.
    pub fn file(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        std::fs::write(self.path(name), text).unwrap();
        shown(&self.path(name))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub fn shown(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}
