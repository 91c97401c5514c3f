//! A target for webhooks: an HTTP server of the stories' own, which answers by script, a thread a
//! connection. It parses requests strictly and tells the story about each; it shares no code with
//! the server.
//!
//! Use it with `#[path = "support/target.rs"] mod target;`, beside `message`.
#![allow(dead_code)]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, SockRef, Socket, Type};

use crate::message::{Fields, PATIENCE, Wire, is_impatience};

/// An answer without a body that keeps the line.
pub const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
/// The same from one that wants the line to be closed.
pub const CLOSING: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
/// The failure that everybody knows.
pub const ERROR: &[u8] = b"HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\noh";

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Arrival {
    pub method: String,
    /// The request target.
    pub path: String,
    pub fields: Fields,
    pub body: Vec<u8>,
    /// Which of the target's connections it came on, from 0.
    pub line: usize,
    /// Which of that connection's requests it was, from 0.
    pub turn: usize,
    /// When it was complete, by the target's clock.
    pub at: Instant,
}

impl Arrival {
    /// A field that must be there.
    pub fn field(&self, name: &str) -> &str {
        let value = self.fields.get(name);
        value.unwrap_or_else(|| panic!("no {name} in {:?}", self.fields))
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    /// Its number among the attempts.
    pub fn attempt(&self) -> u32 {
        self.field("Hookah-Attempt").parse().expect("a number")
    }
}

/// What the target does about a request.
pub enum Act {
    /// Says this and waits for the next request.
    Say(Vec<u8>),
    /// Says this and closes the connection.
    Close(Vec<u8>),
    /// Says this and resets the connection.
    Reset(Vec<u8>),
    /// Says nothing until the other side gives up.
    Hang,
    /// Says the first, then a piece of the second every few milliseconds, round and round, until
    /// the other side gives up.
    Drip(Vec<u8>, &'static [u8]),
    /// Says the first, then the second again and again, as fast as it is taken, until the other
    /// side gives up.
    Flood(Vec<u8>, Vec<u8>),
}

impl From<&[u8]> for Act {
    fn from(answer: &[u8]) -> Act {
        Act::Say(answer.to_vec())
    }
}

/// What the target does about each request. It may wait for the story.
type Script = Mutex<Box<dyn FnMut(&Arrival) -> Act + Send>>;

/// A running target. It ends with the test's process.
pub struct Target {
    addr: SocketAddr,
    arrivals: Receiver<Arrival>,
    ends: Receiver<usize>,
    lines: Arc<AtomicUsize>,
}

impl Target {
    /// One that answers every request by `script`.
    pub fn new(script: impl FnMut(&Arrival) -> Act + Send + 'static) -> Target {
        Absent::new().listen(script)
    }

    /// One that takes everything.
    pub fn willing() -> Target {
        Target::new(|_| OK.into())
    }

    /// A URL on it.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The next request, in the order of completion.
    pub fn arrival(&self) -> Arrival {
        let arrival = self.arrivals.recv_timeout(PATIENCE);
        arrival.expect("a webhook arrives")
    }

    /// No request has come that was not asked for.
    pub fn has_no_more(&self) {
        if let Ok(arrival) = self.arrivals.try_recv() {
            panic!("one more webhook: {arrival:?}");
        }
    }

    /// Waits until a connection has ended; its number.
    pub fn line_ended(&self) -> usize {
        let line = self.ends.recv_timeout(PATIENCE);
        line.expect("a connection ends")
    }

    /// How many connections were made.
    pub fn lines(&self) -> usize {
        self.lines.load(Ordering::SeqCst)
    }
}

/// An address where nobody listens and nobody else can: connections are refused.
pub struct Absent {
    socket: Socket,
    addr: SocketAddr,
}

impl Absent {
    pub fn new() -> Absent {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        socket.bind(&any.into()).expect("a free port");
        let addr = socket.local_addr().expect("bound").as_socket();
        let addr = addr.expect("an internet address");
        Absent { socket, addr }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// It comes up.
    pub fn listen(self, script: impl FnMut(&Arrival) -> Act + Send + 'static) -> Target {
        self.socket.listen(1_024).expect("it can listen");
        let listener = TcpListener::from(self.socket);
        let (sender, arrivals) = channel();
        let (end_sender, ends) = channel();
        let lines = Arc::new(AtomicUsize::new(0));
        let script: Arc<Script> = Arc::new(Mutex::new(Box::new(script)));
        let count = Arc::clone(&lines);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                let wire = Wire::new(stream);
                // A kept-alive line may rest for as long as the server likes.
                wire.stream.set_read_timeout(None).expect("no timeout");
                let line = Line {
                    number: count.fetch_add(1, Ordering::SeqCst),
                    wire,
                    script: Arc::clone(&script),
                    arrivals: sender.clone(),
                };
                let ended = end_sender.clone();
                thread::spawn(move || {
                    let number = line.number;
                    line.serve();
                    let _ = ended.send(number);
                });
            }
        });
        Target {
            addr: self.addr,
            arrivals,
            ends,
            lines,
        }
    }
}

struct Line {
    number: usize,
    wire: Wire,
    script: Arc<Script>,
    arrivals: Sender<Arrival>,
}

impl Line {
    fn serve(mut self) {
        for turn in 0.. {
            let Some(arrival) = self.request(turn) else {
                return;
            };
            let _ = self.arrivals.send(arrival.clone());
            let act = (self.script.lock().expect("no script panics"))(&arrival);
            let stream = &mut self.wire.stream;
            let goes_on = match act {
                Act::Say(answer) => stream.write_all(&answer).is_ok(),
                Act::Close(answer) => {
                    let _ = stream.write_all(&answer);
                    false
                }
                Act::Reset(answer) => {
                    let _ = stream.write_all(&answer);
                    let linger = SockRef::from(&*stream).set_linger(Some(Duration::ZERO));
                    linger.expect("it can");
                    false
                }
                Act::Hang => {
                    self.wire.rest();
                    false
                }
                Act::Drip(first, drops) => {
                    let _ = stream.write_all(&first);
                    drip(stream, drops);
                    false
                }
                Act::Flood(first, again) => {
                    let _ = stream.write_all(&first);
                    while stream.write_all(&again).is_ok() {}
                    false
                }
            };
            if !goes_on {
                return;
            }
        }
    }

    fn request(&mut self, turn: usize) -> Option<Arrival> {
        let head = self.wire.head()?;
        let mut parts = head.start.split(' ');
        let (Some(method), Some(path), Some("HTTP/1.1"), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            panic!("not a request: {:?}", head.start);
        };
        assert!(head.fields.get("Host").is_some(), "{:?}", head.fields);
        let body = self.wire.exact(head.fields.length().unwrap_or(0));
        Some(Arrival {
            method: method.to_owned(),
            path: path.to_owned(),
            fields: head.fields,
            body,
            line: self.number,
            turn,
            at: Instant::now(),
        })
    }
}

/// A byte whenever the other side has been silent for a moment, until it ends.
fn drip(stream: &mut TcpStream, drops: &[u8]) {
    let moment = Some(Duration::from_millis(5));
    stream.set_read_timeout(moment).expect("a timeout");
    for drop in drops.iter().cycle() {
        match stream.read(&mut [0]) {
            Err(why) if is_impatience(why.kind()) => {}
            _ => return,
        }
        if stream.write_all(&[*drop]).is_err() {
            return;
        }
    }
}
