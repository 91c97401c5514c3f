//! The sink: a target that keeps its lines open, answers each webhook with 200 and counts it.
//! It never counts a request that is not the whole webhook.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crate::sys::Epoll;
use crate::wire::{SINK_ANSWER, webhook_complete};

const LISTENER: usize = usize::MAX;

/// A running sink; its thread ends with the process.
pub struct Sink {
    /// The port on 127.0.0.1.
    pub port: u16,
    delivered: Arc<AtomicU64>,
}

impl Sink {
    /// Starts the sink on a thread of its own, on the cores of the caller.
    pub fn start() -> io::Result<Sink> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let delivered = Arc::new(AtomicU64::new(0));
        let count = delivered.clone();
        thread::Builder::new()
            .name("sink".to_owned())
            .spawn(move || {
                if let Err(error) = serve(&listener, &count) {
                    eprintln!("peers: the sink ended: {error}");
                }
            })?;
        Ok(Sink { port, delivered })
    }

    /// Webhooks answered since the start.
    pub fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::Relaxed)
    }
}

struct Line {
    stream: TcpStream,
    /// What came of a request that is not whole yet.
    buf: Vec<u8>,
}

fn serve(listener: &TcpListener, delivered: &AtomicU64) -> io::Result<()> {
    let mut epoll = Epoll::new()?;
    epoll.add(listener, LISTENER)?;
    let mut lines: Vec<Option<Line>> = Vec::new();
    loop {
        for nth in 0..epoll.wait(-1)? {
            let token = epoll.token(nth);
            if token == LISTENER {
                if let Ok((stream, _)) = listener.accept() {
                    stream.set_nonblocking(true)?;
                    stream.set_nodelay(true)?;
                    let free = lines
                        .iter()
                        .position(Option::is_none)
                        .unwrap_or(lines.len());
                    epoll.add(&stream, free)?;
                    lines.resize_with(lines.len().max(free + 1), || None);
                    lines[free] = Some(Line {
                        stream,
                        buf: Vec::with_capacity(4096),
                    });
                }
            } else if let Some(line) = &mut lines[token] {
                match receive(line) {
                    Ok(true) => delivered.fetch_add(1, Ordering::Relaxed),
                    Ok(false) => continue,
                    Err(error) => {
                        if error.kind() == ErrorKind::Other {
                            eprintln!("peers: {error}");
                        }
                        lines[token] = None;
                        continue;
                    }
                };
            }
        }
    }
}

/// Reads once; answers and returns true when that made a webhook whole. An error ends the line.
fn receive(line: &mut Line) -> io::Result<bool> {
    let mut buf = [0; 4096];
    let read = match line.stream.read(&mut buf) {
        Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
        Ok(read) => read,
        Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
        Err(error) => return Err(error),
    };
    line.buf.extend_from_slice(&buf[..read]);
    if webhook_complete(&line.buf)?.is_none() {
        return Ok(false);
    }
    line.buf.clear();
    line.stream.write_all(SINK_ANSWER)?;
    Ok(true)
}
