//! TLS for lines to targets: the one configuration they share, and the session on each.
//! It knows no engine, and nothing here can turn the check of a certificate off.

use std::fmt;
use std::fs;
use std::io::{self, IoSlice, Write};
use std::path::Path;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::socket::Socket;
use crate::port::Ended;
use verify::Verifier;

mod verify;
mod words;

/// Ciphertext that a line holds back at most, give or take the overhead of its records.
const CIPHERTEXT_BYTES_MAX: usize = 64 << 10;
/// Servers whose sessions are remembered for resumption.
const SESSIONS_MAX: usize = 1024;

/// What all TLS lines to targets have in common: the roots, the remembered sessions.
#[derive(Debug)]
pub(super) struct Client(Arc<ClientConfig>);

impl Client {
    /// Trusts Mozilla's roots and, if there is a file, the certificates in it (PEM).
    ///
    /// # Errors
    /// The file cannot be read, holds no certificate, or one that cannot be trusted: in words that
    /// follow its name.
    pub(super) fn new(ca_file: Option<&Path>) -> Result<Client, String> {
        let mut roots = RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        };
        if let Some(path) = ca_file {
            add_file(&mut roots, path)?;
        }
        let provider = Arc::new(ring::default_provider());
        let verifier = Verifier::new(roots, &provider)?;
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|why| why.to_string())?
            // Not what it sounds like: ours is webpki's, with one more word for a failure.
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.resumption = Resumption::in_memory_sessions(SESSIONS_MAX);
        Ok(Client(Arc::new(config)))
    }

    /// Begins a handshake with the server of that name; its first message waits to be flushed.
    ///
    /// # Errors
    /// Why the line ends before it began.
    pub(super) fn session(&self, name: ServerName<'static>) -> Result<Session, Ended> {
        let begun = ClientConnection::new(Arc::clone(&self.0), name);
        let mut connection = begun.map_err(|why| Ended::Tls(words::word(&why)))?;
        connection.set_buffer_limit(Some(CIPHERTEXT_BYTES_MAX));
        Ok(Session {
            connection,
            ending: false,
        })
    }
}

/// The name as TLS knows names: a DNS name, or an address, which a certificate must list as such.
///
/// # Errors
/// It is neither.
pub(super) fn server_name(name: &str) -> Result<ServerName<'static>, Ended> {
    ServerName::try_from(name.to_owned()).map_err(|_| Ended::Tls("tls_bad_name"))
}

fn add_file(roots: &mut RootCertStore, path: &Path) -> Result<(), String> {
    let text = fs::read(path).map_err(|why| format!("cannot be read: {why}"))?;
    let before = roots.len();
    for (certificate, number) in CertificateDer::pem_slice_iter(&text).zip(1..) {
        let certificate =
            certificate.map_err(|why| format!("is not PEM as it should be: {why}"))?;
        roots
            .add(certificate)
            .map_err(|why| format!("has a certificate, number {number}, of no use: {why}"))?;
    }
    if roots.len() == before {
        return Err("has no certificate; it must have -----BEGIN CERTIFICATE----- lines".into());
    }
    Ok(())
}

/// The TLS session of one line. Ciphertext is fed in and flushed out; plaintext does not stay in it
/// from one turn to the next.
pub(super) struct Session {
    connection: ClientConnection,
    /// Our direction of the socket ends once the last ciphertext is out.
    ending: bool,
}

impl Session {
    /// Whether the handshake is under way. Once it is not, the server is who it should be.
    pub(super) fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// Takes ciphertext from the front of `cipher` and decrypts it, not necessarily all: call it
    /// until `cipher` is empty, and after each call take the `plaintext`. False once the server has
    /// said that it finished; what follows does not count.
    ///
    /// # Errors
    /// Why the line has ended; an alert about it waits to be flushed.
    pub(super) fn feed(&mut self, cipher: &mut &[u8]) -> Result<bool, Ended> {
        match self.connection.read_tls(cipher) {
            Ok(0) => return Ok(false),
            Ok(_) => {}
            // The one thing that it complains of: a message without end.
            Err(_) => return Err(Ended::Tls("tls_message_too_large")),
        }
        match self.connection.process_new_packets() {
            Ok(state) => Ok(!state.peer_has_closed()),
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
                Ok(_) => {}
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
