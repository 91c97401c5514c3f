//! An authority of our own, and certificates of every sort that a server may show.
//! It opens no socket.
#![allow(dead_code)]

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};

/// Both versions that we speak, each alone.
pub const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

/// What is wrong with a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    None,
    Expired,
    NotYetValid,
    WrongHost,
    /// Good for clients, not for servers.
    WrongPurpose,
    UnknownAuthority,
    /// Signed by another authority of the same name: one that was made anew.
    OtherAuthority,
    /// Its own issuer.
    SelfSigned,
    /// Its own issuer, and marked as an authority: what `openssl req -x509` makes.
    SelfSignedAuthority,
}

/// An authority, and the file that makes somebody trust it.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    pub file: PathBuf,
}

impl Authority {
    /// A new one, with a file of its own.
    pub fn new() -> Authority {
        Authority::named("authority")
    }

    fn named(name: &str) -> Authority {
        let mut params = params(name, &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Authority {
            file: file(&certificate.pem()),
            certificate: certificate.der().clone(),
            issuer: Issuer::new(params, key),
        }
    }

    /// A certificate for localhost and 127.0.0.1 with that flaw, and its key.
    pub fn certificate(&self, flaw: Flaw) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
        let (certificate, key) = self.issue(flaw);
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        (certificate.der().clone(), key.into())
    }

    /// The same in two files.
    pub fn files(&self, flaw: Flaw) -> (PathBuf, PathBuf) {
        let (certificate, key) = self.issue(flaw);
        (file(&certificate.pem()), file(&key.serialize_pem()))
    }

    /// What makes somebody trust it.
    pub fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        roots
    }

    fn issue(&self, flaw: Flaw) -> (Certificate, KeyPair) {
        let names: &[&str] = match flaw {
            Flaw::WrongHost => &["elsewhere.example", "127.0.0.9"],
            _ => &["localhost", "127.0.0.1"],
        };
        let mut params = params("server", names);
        match flaw {
            Flaw::Expired => params.not_after = date_time_ymd(2020, 1, 1),
            Flaw::NotYetValid => params.not_before = date_time_ymd(2999, 1, 1),
            Flaw::SelfSignedAuthority => params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained),
            Flaw::WrongPurpose => {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            }
            _ => {}
        }
        let key = KeyPair::generate().unwrap();
        let certificate = match flaw {
            Flaw::SelfSigned | Flaw::SelfSignedAuthority => params.self_signed(&key),
            Flaw::UnknownAuthority => params.signed_by(&key, &Authority::named("another").issuer),
            Flaw::OtherAuthority => params.signed_by(&key, &Authority::new().issuer),
            _ => params.signed_by(&key, &self.issuer),
        };
        (certificate.unwrap(), key)
    }

    /// What a server with such a certificate needs; `None` for the version: both.
    pub fn config(&self, flaw: Flaw, version: Option<&'static SupportedProtocolVersion>) -> Config {
        self.config_with(flaw, version, false)
    }

    /// The same for a server that asks for a certificate in return.
    pub fn mutual(&self, version: &'static SupportedProtocolVersion) -> Config {
        self.config_with(Flaw::None, Some(version), true)
    }

    fn config_with(
        &self,
        flaw: Flaw,
        version: Option<&'static SupportedProtocolVersion>,
        mutual: bool,
    ) -> Config {
        let (certificate, key) = self.certificate(flaw);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions = version.map_or(VERSIONS.to_vec(), |version| vec![version]);
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&versions)
            .unwrap();
        let roots = Arc::new(self.roots());
        let clients = WebPkiClientVerifier::builder_with_provider(roots, provider).build();
        let builder = match mutual {
            true => builder.with_client_cert_verifier(clients.unwrap()),
            false => builder.with_no_client_auth(),
        };
        let mut config = builder.with_single_cert(vec![certificate], key).unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Arc::new(config)
    }
}

/// What a server needs.
pub type Config = Arc<ServerConfig>;

fn params(name: &str, names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2000, 1, 1);
    params.not_after = date_time_ymd(2999, 1, 1);
    params
}

/// A file of its own that holds that text.
pub fn file(text: &str) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("tls-{}-{number}.pem", std::process::id());
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, text).unwrap();
    path
}

impl Drop for Authority {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.file);
    }
}
