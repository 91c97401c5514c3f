//! A hostile target as a server of its own: it plays one of the `ways` to be hostile, a thread a
//! connection, and says what came where nothing may come any more.
//!
//! Use it with `#[path = "support/hostile.rs"] mod hostile;`, beside `message` and `ways`.
#![allow(dead_code)]

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use socket2::SockRef;

use crate::message::{PATIENCE, Wire, is_impatience};
use crate::ways::{Row, Step};

/// A hostile target. It ends with the test's process.
pub struct Hostile {
    addr: SocketAddr,
    secure: bool,
    /// The number of each connection, once what it was there for is done or its end was seen.
    ends: Receiver<usize>,
    /// The number of each connection, at its beginning.
    begins: Receiver<usize>,
    complaints: Arc<Mutex<Vec<String>>>,
}

impl Hostile {
    /// One that does these steps on its first `times` connections, and is well on all others.
    pub fn new(row: &Row, times: usize) -> Hostile {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let addr = listener.local_addr().expect("bound");
        let (begin, begins) = channel();
        let (end, ends) = channel();
        let complaints = Arc::<Mutex<Vec<String>>>::default();
        let (steps, shared) = (row.steps.clone(), Arc::clone(&complaints));
        thread::spawn(move || {
            for (number, stream) in listener.incoming().map_while(Result::ok).enumerate() {
                let _ = begin.send(number);
                let (steps, shared) = (steps.clone(), Arc::clone(&shared));
                let end: Sender<usize> = end.clone();
                thread::spawn(move || {
                    let wire = Wire::new(stream);
                    match number < times {
                        true => play(wire, &steps, &shared),
                        false => serve(wire),
                    }
                    let _ = end.send(number);
                });
            }
        });
        Hostile {
            addr,
            secure: row.secure,
            ends,
            begins,
            complaints,
        }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}/", self.addr)
    }

    /// Waits until it is called; the connection's number.
    pub fn called(&self) -> usize {
        self.begins.recv_timeout(PATIENCE).expect("a connection")
    }

    /// Waits until a connection has ended; its number.
    pub fn ended(&self) -> usize {
        let ended = self.ends.recv_timeout(PATIENCE);
        ended.expect("a connection that ends")
    }

    /// What came on a connection that must not be used again.
    pub fn complaints(&self) -> Vec<String> {
        let list = self.complaints.lock();
        list.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn play(mut wire: Wire, steps: &[Step], complaints: &Mutex<Vec<String>>) {
    for step in steps {
        let stream = &mut wire.stream;
        match step {
            Step::Hear => request(&mut wire),
            Step::HearHello => drop(wire.some()),
            Step::Say(text) => {
                let _ = stream.write_all(text);
            }
            Step::Flood(text) => while stream.write_all(text).is_ok() {},
            Step::Drip(text) => drip(stream, text),
            Step::Finish => {
                let _ = stream.shutdown(Shutdown::Write);
            }
            Step::Reset => {
                let linger = SockRef::from(&*stream).set_linger(Some(Duration::ZERO));
                return linger.expect("it can");
            }
            Step::Close => return,
        }
    }
    wire.stream.set_read_timeout(None).expect("no timeout");
    let more = wire.rest();
    // Over TLS an alert may still come.
    if !more.is_empty() && !more.starts_with(b"\x15\x03") {
        let text = format!("used again: {:?}", String::from_utf8_lossy(&more));
        let list = complaints.lock();
        list.unwrap_or_else(PoisonError::into_inner).push(text);
    }
}

/// A whole request, if it comes.
fn request(wire: &mut Wire) {
    if let Some(head) = wire.head() {
        wire.exact(head.fields.length().unwrap_or(0));
    }
}

/// A target that is well.
fn serve(mut wire: Wire) {
    wire.stream.set_read_timeout(None).expect("no timeout");
    while let Some(head) = wire.head() {
        wire.exact(head.fields.length().unwrap_or(0));
        let ok = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        if wire.stream.write_all(ok).is_err() {
            return;
        }
    }
}

/// A byte whenever the other side has been silent for a moment, until it ends.
fn drip(stream: &mut TcpStream, text: &[u8]) {
    let moment = Some(Duration::from_millis(5));
    stream.set_read_timeout(moment).expect("a timeout");
    for drop in text.iter().cycle() {
        match stream.read(&mut [0]) {
            Err(why) if is_impatience(why.kind()) => {}
            _ => return,
        }
        if stream.write_all(&[*drop]).is_err() {
            return;
        }
    }
}
