//! The floor of a fan-out: a bare epoll server that writes each message to each stream with one
//! write, the least that a server can do that never waits for a second message.
//! It never parses: the load's requests come whole, a GET asks for a stream, and a POST ends
//! with exactly the fields.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

use super::wire::FIELDS_BYTES;
use crate::sys::Epoll;
use crate::wire::FLOOR_ANSWER;

/// As Hookah's: head and first bytes in one write.
const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\n\
    Content-Type: application/x-www-form-urlencoded\r\n\
    Transfer-Encoding: chunked\r\n\r\n2\r\n\r\n\r\n";
const LISTENER: usize = usize::MAX;

struct Floor {
    epoll: Epoll,
    /// Indexed by token; one that ended leaves `None`, for the floor lives for one run.
    lines: Vec<Option<TcpStream>>,
    /// Tokens of the lines that asked for a stream.
    streams: Vec<usize>,
    /// The chunk, with the last message's fields in it.
    chunk: Vec<u8>,
    /// Where in the chunk they begin.
    start: usize,
}

/// Serves streams until the process is ended.
pub fn run() -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let mut chunk = format!("{:x}\r\n", FIELDS_BYTES + 2).into_bytes();
    let start = chunk.len();
    chunk.resize(start + FIELDS_BYTES, b'x');
    chunk.extend_from_slice(b"\r\n\r\n");
    let mut floor = Floor {
        epoll: Epoll::new()?,
        lines: Vec::new(),
        streams: Vec::new(),
        chunk,
        start,
    };
    floor.epoll.add_level(&listener, LISTENER)?;
    eprintln!("floor listening on http://{}", listener.local_addr()?);
    loop {
        for nth in 0..floor.epoll.wait(-1)? {
            match floor.epoll.token(nth) {
                LISTENER => floor.accept(&listener)?,
                token => floor.ready(token)?,
            }
        }
    }
}

impl Floor {
    fn accept(&mut self, listener: &TcpListener) -> io::Result<()> {
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        self.epoll.add_edge(&stream, self.lines.len())?;
        self.lines.push(Some(stream));
        Ok(())
    }

    fn ready(&mut self, token: usize) -> io::Result<()> {
        let Some(stream) = &mut self.lines[token] else {
            return Ok(());
        };
        let mut buf = [0; 4096];
        match stream.read(&mut buf) {
            Ok(read) if read > FIELDS_BYTES && buf[0] == b'P' => {
                stream.write_all(FLOOR_ANSWER)?;
                let fields = &buf[read - FIELDS_BYTES..read];
                self.chunk[self.start..self.start + FIELDS_BYTES].copy_from_slice(fields);
                self.fan_out()
            }
            Ok(read) if read > 0 => {
                self.streams.push(token);
                stream.write_all(HEAD)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            // The load has gone.
            _ => {
                self.lines[token] = None;
                Ok(())
            }
        }
    }

    /// A message is small and few are in flight, so a short write means that the load has broken
    /// its promise; one that has gone is seen when its line is read.
    fn fan_out(&mut self) -> io::Result<()> {
        for &token in &self.streams {
            if let Some(stream) = &mut self.lines[token] {
                match stream.write(&self.chunk) {
                    Ok(wrote) if wrote < self.chunk.len() => {
                        return Err(io::Error::other("a short write"));
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return Err(error),
                    _ => {}
                }
            }
        }
        Ok(())
    }
}
