//! A target that speaks TLS, played by the test's own thread: it accepts, shakes hands, reads a
//! webhook, answers. What it is sent it takes as it comes.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};

use rustls::{HandshakeKind, ServerConnection, StreamOwned};

use crate::authority::Config;

/// An answer that ends well.
pub const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Where a target listens.
pub struct Target {
    listener: TcpListener,
    pub port: u16,
}

impl Target {
    /// On a free port of 127.0.0.1.
    pub fn open() -> Target {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        Target { listener, port }
    }

    /// The same, with the smallest window that the kernel has.
    pub fn narrow() -> Target {
        let target = Target::open();
        socket2::SockRef::from(&target.listener)
            .set_recv_buffer_size(1)
            .unwrap();
        target
    }

    /// Its URL by name.
    pub fn url(&self) -> String {
        format!("https://localhost:{}/hook", self.port)
    }

    /// The next connection, not a byte of it read.
    pub fn accept(&self) -> TcpStream {
        self.listener.accept().unwrap().0
    }

    /// The next connection, with a handshake that must succeed.
    pub fn secured(&self, config: &Config) -> Call<TcpStream> {
        Call::shake(self.accept(), config).unwrap()
    }
}

/// A connection after its handshake.
pub struct Call<S: Read + Write> {
    pub stream: StreamOwned<ServerConnection, S>,
    unread: Vec<u8>,
}

impl<S: Read + Write> Call<S> {
    /// The server's side of a handshake.
    pub fn shake(mut socket: S, config: &Config) -> io::Result<Call<S>> {
        let mut server = ServerConnection::new(config.clone()).unwrap();
        while server.is_handshaking() {
            server.complete_io(&mut socket)?;
        }
        // TLS 1.3: the tickets for resumption go out behind the handshake.
        while server.wants_write() {
            server.write_tls(&mut socket)?;
        }
        Ok(Call {
            stream: StreamOwned::new(server, socket),
            unread: Vec::new(),
        })
    }

    /// Whether the handshake was the short one.
    pub fn is_resumed(&self) -> bool {
        self.stream.conn.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// A whole request, head and body.
    pub fn request(&mut self) -> (String, Vec<u8>) {
        let end = loop {
            let found = self.unread.windows(4).position(|four| four == b"\r\n\r\n");
            match found {
                Some(end) => break end + 4,
                None => self.read_more(),
            }
        };
        let head = String::from_utf8(self.unread[..end].to_vec()).unwrap();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("Content-Length: "));
        let length: usize = length.map_or(0, |length| length.parse().unwrap());
        while self.unread.len() < end + length {
            self.read_more();
        }
        let body = self.unread[end..end + length].to_vec();
        self.unread.drain(..end + length);
        (head, body)
    }

    fn read_more(&mut self) {
        let mut buf = [0; 16 << 10];
        let count = self.stream.read(&mut buf).unwrap();
        assert!(count > 0, "it ended inside a request");
        self.unread.extend_from_slice(&buf[..count]);
    }

    /// Sends this.
    pub fn say(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).unwrap();
        self.stream.flush().unwrap();
    }

    /// Reads to the end, which must be announced.
    pub fn ends_well(&mut self) {
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, b"");
    }

    /// Announces the end and closes.
    pub fn close(mut self) {
        self.stream.conn.send_close_notify();
        let _ = self.stream.flush();
    }
}

/// A socket that sends one byte at a time and takes one byte at a time.
pub struct Trickle(pub TcpStream);

impl Read for Trickle {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let most = buf.len().min(1);
        self.0.read(&mut buf[..most])
    }
}

impl Write for Trickle {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.write(&buf[..buf.len().min(1)])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
