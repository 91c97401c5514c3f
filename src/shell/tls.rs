//! TLS: what lines to targets have in common, and the session on each line of either side.
//! It knows no engine, and nothing here can turn the check of a certificate off.

use std::fmt;
use std::io::{self, IoSlice, Write};
use std::path::Path;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, Connection, RootCertStore};

use super::socket::Socket;
use crate::port::Ended;
use verify::Verifier;

mod pem;
mod server;
mod verify;
mod words;

pub use pem::Fault;
pub use server::Files;
pub(super) use server::Identity;

/// Ciphertext that a line holds back at most, give or take the overhead of its records.
const CIPHERTEXT_BYTES_MAX: usize = 64 << 10;
/// The same of a line that a client has: it is the client who can have many of them be slow.
const RECORD_BYTES: usize = 16 << 10;
/// Servers whose sessions are remembered for resumption.
const SESSIONS_MAX: usize = 1024;

/// What all TLS lines to targets have in common: the roots, the remembered sessions.
#[derive(Debug)]
pub(super) struct Client(Arc<ClientConfig>);

impl Client {
    /// Trusts Mozilla's roots and, if there is a file, the certificates in it (PEM).
    ///
    /// # Errors
    /// What is wrong with the file.
    pub(super) fn new(ca_file: Option<&Path>) -> Result<Client, Fault> {
        trust(ca_file).map(Client)
    }

    /// Begins a handshake with the server of that name; its first message waits to be flushed.
    ///
    /// # Errors
    /// Why the line ends before it began.
    pub(super) fn session(&self, name: ServerName<'static>) -> Result<Session, Ended> {
        let begun = ClientConnection::new(Arc::clone(&self.0), name);
        let connection = begun.map_err(|why| Ended::Tls(words::word(&why)))?;
        Ok(Session::new(connection.into(), CIPHERTEXT_BYTES_MAX))
    }
}

/// What a client is that trusts Mozilla's roots and, if there is a file, the certificates in it
/// (PEM), and that speaks HTTP/1.1.
///
/// # Errors
/// What is wrong with the file.
pub fn trust(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, Fault> {
    let source = pem::Source {
        flag: "ca-file",
        path: ca_file.unwrap_or(Path::new("")),
    };
    let mut roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    if ca_file.is_some() {
        source.trust(&mut roots)?;
    }
    let provider = Arc::new(ring::default_provider());
    let verifier = Verifier::new(roots, &provider).map_err(|why| source.fault(why))?;
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|why| source.fault(why.to_string()))?
        // Not what it sounds like: ours is webpki's, with one more word for a failure.
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.resumption = Resumption::in_memory_sessions(SESSIONS_MAX);
    Ok(Arc::new(config))
}

/// The word for a failure of TLS, if that is what the error of a stream is.
#[must_use]
pub fn failure(why: &io::Error) -> Option<&'static str> {
    let inner = why.get_ref()?.downcast_ref::<rustls::Error>()?;
    Some(words::word(inner))
}

/// The name as TLS knows names: a DNS name, or an address, which a certificate must list as such.
///
/// # Errors
/// It is neither.
pub(super) fn server_name(name: &str) -> Result<ServerName<'static>, Ended> {
    ServerName::try_from(name.to_owned()).map_err(|_| Ended::Tls("tls_bad_name"))
}

/// Bytes from a client that make nothing whole, at most: a record has 16 KiB, and so has any
/// message of a handshake that should be. TLS would allow four times that to whoever has shown
/// nothing yet.
const PENDING_BYTES_MAX: usize = 20 << 10;

/// The TLS session of one line. Ciphertext is fed in and flushed out; plaintext does not stay in it
/// from one turn to the next.
pub(super) struct Session {
    connection: Connection,
    /// Our direction of the socket ends once the last ciphertext is out.
    ending: bool,
    /// Something of ours went out.
    begun: bool,
    /// Bytes that came since they last made something whole.
    pending: usize,
    /// One byte that is encrypted is not told of yet, because not all ciphertext is out.
    held_back: bool,
}

impl Session {
    /// One that holds back about so many bytes of ciphertext.
    fn new(mut connection: Connection, ciphertext_bytes_max: usize) -> Session {
        connection.set_buffer_limit(Some(ciphertext_bytes_max));
        Session {
            connection,
            ending: false,
            begun: false,
            pending: 0,
            held_back: false,
        }
    }

    /// Whether the other side is a client of ours.
    pub(super) fn is_client_s(&self) -> bool {
        matches!(self.connection, Connection::Server(_))
    }

    /// Whether we have sent something, so that the other side was heard before if it is a client.
    pub(super) fn has_begun(&self) -> bool {
        self.begun
    }

    /// Whether the handshake is under way. Once it is not, the other side is who it
    /// should be.
    pub(super) fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// Takes ciphertext from the front of `cipher` and decrypts it, not necessarily all: call it
    /// until `cipher` is empty, and after each call take the `plaintext`. False once the other side
    /// has said that it finished; what follows does not count.
    ///
    /// # Errors
    /// Why the line has ended; an alert about it waits to be flushed.
    pub(super) fn feed(&mut self, cipher: &mut &[u8]) -> Result<bool, Ended> {
        let handshaking = self.connection.is_handshaking();
        match self.connection.read_tls(cipher) {
            Ok(0) => return Ok(false),
            Ok(count) => self.pending += count,
            // The one thing that it complains of: a message without end.
            Err(_) => return Err(Ended::Tls("tls_message_too_large")),
        }
        match self.connection.process_new_packets() {
            Ok(state) => {
                let whole = state.plaintext_bytes_to_read() > 0;
                if whole || handshaking != self.connection.is_handshaking() {
                    self.pending = 0;
                }
                if self.is_client_s() && self.pending > PENDING_BYTES_MAX {
                    return Err(Ended::Tls("tls_message_too_large"));
                }
                Ok(!state.peer_has_closed())
            }
            Err(why) => Err(Ended::Tls(words::word(&why))),
        }
    }

    /// The next piece of what was decrypted; empty if there is none. Take it off by `taken`.
    pub(super) fn plaintext(&mut self) -> &[u8] {
        self.connection.reader().into_first_chunk().unwrap_or(&[])
    }

    /// That many bytes at the front of `plaintext` were handled.
    pub(super) fn taken(&mut self, bytes: usize) {
        io::BufRead::consume(&mut self.connection.reader(), bytes);
    }

    /// Encrypts as much as there is room for, straight from the slices; how many bytes that was.
    ///
    /// # Errors
    /// The session has failed before.
    pub(super) fn encrypt(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.connection.writer().write_vectored(slices)
    }

    /// So many bytes were encrypted, and not all of their ciphertext is out: how many of them may
    /// be told as written. The last one is held back until it is, so that nobody takes the line to
    /// have sent everything.
    pub(super) fn hold_back(&mut self, count: usize) -> usize {
        self.held_back |= count > 0;
        count.saturating_sub(1)
    }

    /// Whether a byte is held back.
    pub(super) fn has_held_back(&self) -> bool {
        self.held_back
    }

    /// All ciphertext is out: whether a byte was held back until now.
    pub(super) fn let_go(&mut self) -> bool {
        std::mem::take(&mut self.held_back)
    }

    /// Whether ciphertext waits to be flushed.
    pub(super) fn has_ciphertext(&self) -> bool {
        self.connection.wants_write()
    }

    /// Writes ciphertext; true if none is left, false if the socket takes no more until an edge.
    ///
    /// # Errors
    /// What the socket says.
    pub(super) fn flush(&mut self, socket: &mut Socket) -> io::Result<bool> {
        while self.connection.wants_write() {
            match self.connection.write_tls(socket) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(_) => self.begun = true,
                Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
                Err(why) if why.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(why) => return Err(why),
            }
        }
        if std::mem::replace(&mut self.ending, false) {
            socket.finish();
        }
        Ok(true)
    }

    /// Says that we have sent everything; with the flush of it our direction ends, if `for_good`
    /// also the socket's.
    pub(super) fn finish(&mut self, for_good: bool) {
        self.connection.send_close_notify();
        self.ending |= for_good;
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "Session({:?}, handshaking: {})",
            self.connection.protocol_version(),
            self.is_handshaking()
        )
    }
}
