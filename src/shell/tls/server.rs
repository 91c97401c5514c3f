//! TLS for clients' lines: the certificate we show, whose certificates we ask for, and how both
//! are read anew. It decides nothing about a client but whether it is who it says.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, RootCertStore, ServerConfig, ServerConnection};

use super::pem::{Fault, Source};
use super::{RECORD_BYTES, Session, words};
use crate::port::Ended;

/// The files that say who we are, and who may come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// Our certificate and those that lead to its authority, in PEM.
    pub certificate: PathBuf,
    /// Its key, in PEM.
    pub key: PathBuf,
    /// Authorities of which every client must show a certificate, in PEM; `None` asks for none.
    pub client_ca: Option<PathBuf>,
}

/// What all TLS lines of clients have in common. A line keeps what it began with.
#[derive(Debug)]
pub(in crate::shell) struct Identity {
    files: Files,
    config: Arc<ServerConfig>,
}

impl Identity {
    /// Reads the files.
    ///
    /// # Errors
    /// Which of them is no use, and why.
    pub(in crate::shell) fn read(files: Files) -> Result<Identity, Fault> {
        Ok(Identity {
            config: Arc::new(config(&files)?),
            files,
        })
    }

    /// Reads the files anew, for lines to come. Sessions of before are not resumed: whoever had
    /// one has to show a certificate again.
    ///
    /// # Errors
    /// Which of them is no use, and why; then all stays as it was.
    pub(in crate::shell) fn reread(&mut self) -> Result<(), Fault> {
        self.config = Arc::new(config(&self.files)?);
        Ok(())
    }

    /// Waits for a client's handshake.
    ///
    /// # Errors
    /// Why the line ends before it began.
    pub(in crate::shell) fn session(&self) -> Result<Session, Ended> {
        let begun = ServerConnection::new(Arc::clone(&self.config));
        let connection = begun.map_err(|why| Ended::Tls(words::word(&why)))?;
        Ok(Session::new(connection.into(), RECORD_BYTES))
    }
}

fn config(files: &Files) -> Result<ServerConfig, Fault> {
    let provider = Arc::new(ring::default_provider());
    let certificate = Source {
        flag: "tls-cert",
        path: &files.certificate,
    };
    let key = Source {
        flag: "tls-key",
        path: &files.key,
    };
    let chain = certificate.certificates()?;
    let signing = provider
        .key_provider
        .load_private_key(key.key()?)
        .map_err(|why| key.fault(format!("has a key of no use: {why}")))?;
    let certified = CertifiedKey::new(chain, signing);
    match certified.keys_match() {
        // Where the key does not tell, a handshake will.
        Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
        Err(rustls::Error::InconsistentKeys(_)) => {
            let other = files.certificate.display();
            return Err(key.fault(format!("is not the key of the certificate in {other}")));
        }
        Err(why) => {
            return Err(certificate.fault(format!("has a first certificate of no use: {why}")));
        }
    }
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|why| certificate.fault(why.to_string()))?;
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let source = Source {
                flag: "client-ca",
                path,
            };
            let mut roots = RootCertStore::empty();
            source.trust(&mut roots)?;
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .map_err(|why| source.fault(why.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config =
        builder.with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(certified)));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // A ticket holds the session and costs us no memory; the keys of tickets change by themselves.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ticketer = ring::Ticketer::new().map_err(|why| certificate.fault(why.to_string()))?;
    config.send_tls13_tickets = 1;
    Ok(config)
}
