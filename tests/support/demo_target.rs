//! A webhook's target to try Hookah with: it prints what comes and answers 200.
//! It reads bodies of a known length, one request after the other, and nothing cleverer.
//!
//! `cargo run --release --example target [-- PORT]`; the port is 9000 if none is named.

use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

fn main() -> io::Result<()> {
    let port = env::args().nth(1).and_then(|text| text.parse().ok());
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port.unwrap_or(9000)))?;
    println!("target listening on http://{}", listener.local_addr()?);
    for stream in listener.incoming() {
        let stream = stream?;
        // A client that goes away in the middle is no reason to stop.
        thread::spawn(move || serve(stream));
    }
    Ok(())
}

/// Prints and answers what comes on one connection until it ends.
fn serve(stream: TcpStream) -> io::Result<()> {
    let mut answers = stream.try_clone()?;
    let mut requests = BufReader::new(stream);
    while let Some((head, body)) = request(&mut requests)? {
        let body = String::from_utf8_lossy(&body);
        let mut out = io::stdout().lock();
        writeln!(out, "\n{head}{}", body.trim_end())?;
        out.flush()?;
        answers.write_all(ANSWER)?;
    }
    Ok(())
}

/// The head's lines and the body of the next request; `None` where the connection ends.
fn request(from: &mut impl BufRead) -> io::Result<Option<(String, Vec<u8>)>> {
    let mut head = String::new();
    let mut length = 0;
    loop {
        let start = head.len();
        if from.read_line(&mut head)? == 0 {
            return Ok(None);
        }
        let line = head[start..].trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body)?;
    Ok(Some((head, body)))
}
