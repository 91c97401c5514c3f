//! A client that speaks TLS, played by the test's own thread, and the server that it calls.
//! What it is sent it takes as it comes.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, HandshakeKind, StreamOwned};
use rustls::{Error, SupportedProtocolVersion};

use crate::authority::{Authority, Flaw, VERSIONS};
use crate::server::Server;

/// A request for the health page, and one that is the line's last.
pub const HEALTH: &str = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
pub const LAST: &str = "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// A server on a free port of 127.0.0.1 with a certificate of that authority, and more flags.
pub fn serving<'a>(authority: &Authority, more: impl IntoIterator<Item = &'a str>) -> Server {
    let (certificate, key) = authority.files(Flaw::None);
    Server::with(flags(&certificate, &key, more))
}

/// The flags of such a server.
pub fn flags<'a>(
    certificate: &Path,
    key: &Path,
    more: impl IntoIterator<Item = &'a str>,
) -> Vec<OsString> {
    let mut flags: Vec<OsString> = ["--port", "0", "--tls-cert"].map(OsString::from).into();
    flags.extend([certificate.into(), "--tls-key".into(), key.into()]);
    flags.extend(more.into_iter().map(OsString::from));
    flags
}

/// What a client needs that trusts that authority, and what it `shows` of its own.
pub fn config(
    authority: &Authority,
    shows: Option<(&Authority, Flaw)>,
    version: Option<&'static SupportedProtocolVersion>,
) -> Arc<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = version.map_or(VERSIONS.to_vec(), |version| vec![version]);
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&versions)
        .unwrap()
        .with_root_certificates(authority.roots());
    let mut config = match shows {
        None => builder.with_no_client_auth(),
        Some((own, flaw)) => {
            let (certificate, key) = own.certificate(flaw);
            builder
                .with_client_auth_cert(vec![certificate], key)
                .unwrap()
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Arc::new(config)
}

/// A connection after its handshake.
pub struct Caller<S: Read + Write = TcpStream> {
    pub stream: StreamOwned<ClientConnection, S>,
}

impl Caller {
    /// Calls the server.
    pub fn call(server: &Server, config: &Arc<ClientConfig>) -> io::Result<Caller> {
        Caller::over(TcpStream::connect(server.addr()).unwrap(), config)
    }

    /// The same; it must succeed.
    pub fn of(server: &Server, config: &Arc<ClientConfig>) -> Caller {
        Caller::call(server, config).unwrap()
    }
}

impl<S: Read + Write> Caller<S> {
    /// The client's side of a handshake.
    pub fn over(mut socket: S, config: &Arc<ClientConfig>) -> io::Result<Caller<S>> {
        let name = ServerName::try_from("localhost").unwrap();
        let mut client = ClientConnection::new(Arc::clone(config), name).unwrap();
        while client.is_handshaking() {
            client.complete_io(&mut socket)?;
        }
        while client.wants_write() {
            client.write_tls(&mut socket)?;
        }
        Ok(Caller {
            stream: StreamOwned::new(client, socket),
        })
    }

    /// Whether the handshake was the short one.
    pub fn is_resumed(&self) -> bool {
        self.stream.conn.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// Sends this.
    pub fn say(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
        self.stream.flush().unwrap();
    }

    /// What comes, until it has that in it.
    pub fn hear(&mut self, part: &str) -> String {
        let mut got = Vec::new();
        let mut buf = [0; 16 << 10];
        loop {
            let text = String::from_utf8_lossy(&got).into_owned();
            if text.contains(part) {
                return text;
            }
            let count = self.stream.read(&mut buf).unwrap();
            assert!(count > 0, "it ended without {part:?}: {text}");
            got.extend_from_slice(&buf[..count]);
        }
    }

    /// What comes until the end, which must be announced.
    pub fn hear_all(&mut self) -> String {
        let mut got = Vec::new();
        self.stream.read_to_end(&mut got).unwrap();
        String::from_utf8(got).unwrap()
    }

    /// What is wrong, as TLS sees it; in TLS 1.3 a client hears of it only after its own handshake.
    pub fn fails(mut self) -> Error {
        let why = match self.stream.write_all(LAST.as_bytes()) {
            Err(why) => why,
            Ok(()) => self.stream.read(&mut [0; 64]).unwrap_err(),
        };
        tls_error(why)
    }
}

/// The TLS error inside of an I/O error.
pub fn tls_error(why: io::Error) -> Error {
    let text = why.to_string();
    let inner = why.into_inner().unwrap_or_else(|| panic!("{text}"));
    *inner.downcast::<Error>().expect("an error of TLS")
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

/// What a server without TLS answers to that.
pub fn plainly(server: &Server, place: usize, request: &str) -> String {
    let mut client = TcpStream::connect(server.addrs()[place]).unwrap();
    client.write_all(request.as_bytes()).unwrap();
    crate::server::read_all(&mut client)
}
