//! Certificates and keys out of PEM files, and what is wrong with a file that has none.
//! It neither trusts nor uses what it reads.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A file that is no use, in words for whoever gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The flag that names the file.
    pub flag: &'static str,
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it, in words that follow its name.
    pub why: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "--{} {} {}", self.flag, self.path.display(), self.why)
    }
}

/// A file and the flag that named it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a> {
    pub(super) flag: &'static str,
    pub(super) path: &'a Path,
}

impl Source<'_> {
    /// That this is wrong with it.
    pub(super) fn fault(self, why: impl Into<String>) -> Fault {
        Fault {
            flag: self.flag,
            path: self.path.to_owned(),
            why: why.into(),
        }
    }

    fn read(self) -> Result<Vec<u8>, Fault> {
        fs::read(self.path).map_err(|why| self.fault(format!("cannot be read: {why}")))
    }

    fn broken(self, why: &pem::Error) -> Fault {
        self.fault(format!("is not PEM as it should be: {why}"))
    }

    /// All certificates in it, at least one.
    ///
    /// # Errors
    /// It cannot be read, is no PEM, or has no certificate.
    pub(super) fn certificates(self) -> Result<Vec<CertificateDer<'static>>, Fault> {
        let text = self.read()?;
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
        match found {
            Ok(found) if !found.is_empty() => Ok(found),
            Ok(_) => {
                Err(self
                    .fault("has no certificate; it must have -----BEGIN CERTIFICATE----- lines"))
            }
            Err(why) => Err(self.broken(&why)),
        }
    }

    /// The first private key in it: PKCS#8, PKCS#1 or SEC1.
    ///
    /// # Errors
    /// It cannot be read, is no PEM, or has no key that is not encrypted.
    pub(super) fn key(self) -> Result<PrivateKeyDer<'static>, Fault> {
        match PrivateKeyDer::from_pem_slice(&self.read()?) {
            Ok(key) => Ok(key),
            Err(pem::Error::NoItemsFound) => Err(self.fault(
                "has no private key; it must have -----BEGIN PRIVATE KEY----- lines (PKCS#8), or \
                 those of an RSA or EC PRIVATE KEY, and not be encrypted",
            )),
            Err(why) => Err(self.broken(&why)),
        }
    }

    /// Trusts all certificates in it.
    ///
    /// # Errors
    /// As [`Source::certificates`], or one of them is of no use.
    pub(super) fn trust(self, roots: &mut RootCertStore) -> Result<(), Fault> {
        for (certificate, number) in self.certificates()?.into_iter().zip(1..) {
            roots.add(certificate).map_err(|why| {
                self.fault(format!(
                    "has a certificate, number {number}, of no use: {why}"
                ))
            })?;
        }
        Ok(())
    }
}
