//! A name server of the stories' own on 127.0.0.1, by datagram and by line, which answers by
//! script. It shares no code with the server.
//!
//! Use it with `#[path = "support/names.rs"] mod names;`.
#![allow(dead_code)]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;

/// A question about an address.
#[derive(Clone, Debug)]
pub struct Question {
    /// The name.
    pub name: String,
    /// Whether it is for an IPv6 address.
    pub six: bool,
    /// Whether it came on a line.
    pub line: bool,
    /// How many came before it.
    pub number: usize,
    /// All of it.
    pub packet: Vec<u8>,
    /// Who asks.
    pub from: SocketAddr,
}

impl Question {
    /// The answer with those flags and these records behind the question.
    pub fn reply(&self, flags: u16, count: u8, records: &[u8]) -> Vec<u8> {
        let mut reply = self.packet.clone();
        reply[2..4].copy_from_slice(&(0x8180 | flags).to_be_bytes());
        reply[7] = count;
        reply.extend(records);
        reply
    }

    /// The answer that it has this address for so many seconds; to a question for an IPv6 address
    /// that there is none.
    pub fn found(&self, address: Ipv4Addr, ttl: u8) -> Vec<u8> {
        match self.six {
            true => self.reply(0, 0, &[]),
            false => self.reply(0, 1, &record(1, ttl, &address.octets())),
        }
    }
}

/// A record of the name in question, which is a pointer to the question's: type, IN, seconds, data.
pub fn record(kind: u8, ttl: u8, data: &[u8]) -> Vec<u8> {
    let head = [0xc0, 12, 0, kind, 0, 1, 0, 0, 0, ttl, 0, data.len() as u8];
    [&head[..], data].concat()
}

/// What is said to a question.
#[derive(Clone, Debug)]
pub enum Say {
    /// This address, to be kept for a minute; to a question for an IPv6 address that there is none.
    Addr(Ipv4Addr),
    /// The same, behind the same with a wrong id and behind garbage.
    Behind(Ipv4Addr),
    /// This response code.
    Code(u8),
    /// That it does not fit.
    Cut,
    /// These packets, or none.
    Raw(Vec<Vec<u8>>),
}

type Script = Arc<Mutex<dyn FnMut(&Question) -> Say + Send>>;

/// A name server, until the process ends.
pub struct NameServer {
    addr: SocketAddr,
}

impl NameServer {
    /// A name server that answers by that script.
    pub fn new(mut script: impl FnMut(&Question) -> Say + Send + 'static) -> NameServer {
        let (lines, datagrams) = sockets();
        let addr = lines.local_addr().expect("bound");
        let mut count: usize = 0;
        let numbered = move |question: &Question| {
            count += 1;
            script(&Question {
                number: count - 1,
                ..question.clone()
            })
        };
        let script: Script = Arc::new(Mutex::new(numbered));
        let other = Arc::clone(&script);
        thread::spawn(move || answer_datagrams(&datagrams, &script));
        thread::spawn(move || answer_lines(&lines, &other));
        NameServer { addr }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}

/// Two sockets on one port.
fn sockets() -> (TcpListener, UdpSocket) {
    loop {
        let lines = TcpListener::bind("127.0.0.1:0").expect("a port");
        let addr = lines.local_addr().expect("bound");
        if let Ok(datagrams) = UdpSocket::bind(addr) {
            return (lines, datagrams);
        }
    }
}

fn answer_datagrams(socket: &UdpSocket, script: &Script) {
    let mut buf = [0; 512];
    while let Ok((count, from)) = socket.recv_from(&mut buf) {
        for reply in replies(&buf[..count], from, false, script) {
            let _ = socket.send_to(&reply, from);
        }
    }
}

fn answer_lines(listener: &TcpListener, script: &Script) {
    for stream in listener.incoming().map_while(Result::ok) {
        let mut stream = stream;
        let Ok(from) = stream.peer_addr() else {
            continue;
        };
        let mut len = [0; 2];
        if stream.read_exact(&mut len).is_err() {
            continue;
        }
        let mut packet = vec![0; usize::from(u16::from_be_bytes(len))];
        if stream.read_exact(&mut packet).is_err() {
            continue;
        }
        for reply in replies(&packet, from, true, script) {
            let len = (reply.len() as u16).to_be_bytes();
            // In two writes, so that the length may come alone.
            let _ = stream
                .write_all(&len)
                .and_then(|()| stream.write_all(&reply));
        }
    }
}

fn replies(packet: &[u8], from: SocketAddr, line: bool, script: &Script) -> Vec<Vec<u8>> {
    assert_eq!(packet[2..12], [1, 0, 0, 1, 0, 0, 0, 0, 0, 0], "{packet:?}");
    let (mut labels, mut rest) = (Vec::new(), &packet[12..]);
    while let Some((len, after)) = rest.split_first().filter(|(len, _)| **len > 0) {
        let (label, after) = after.split_at(usize::from(*len));
        labels.push(String::from_utf8_lossy(label).into_owned());
        rest = after;
    }
    let question = Question {
        name: labels.join("."),
        six: rest == [0, 0, 28, 0, 1],
        line,
        number: 0,
        packet: packet.to_vec(),
        from,
    };
    let say = script.lock().expect("no story has failed")(&question);
    match say {
        Say::Addr(address) => vec![question.found(address, 60)],
        Say::Behind(address) => {
            let mut wrong = question.found(Ipv4Addr::new(127, 0, 0, 99), 60);
            wrong[0] ^= 0xff;
            let right = question.found(address, 60);
            vec![wrong, b"garbage".to_vec(), Vec::new(), right]
        }
        Say::Code(code) => vec![question.reply(code.into(), 0, &[])],
        Say::Cut => vec![question.reply(0x0200, 0, &[])],
        Say::Raw(packets) => packets,
    }
}
