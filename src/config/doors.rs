//! What the knobs about listening say together: TLS where there is a certificate, consent where
//! others can reach us. It looks at values and opens no file.

use std::path::PathBuf;

use super::{Config, Refusal, listen};
use crate::base::exit::Exit;
use crate::shell::{Files, Listen};

/// Bytes of a Unix socket's path at most (unix(7): 108 with the zero at its end).
const PATH_BYTES_MAX: usize = 107;

/// The files that were named, until it is known whether they make sense together.
#[derive(Clone, Debug, Default)]
pub(super) struct Named {
    pub(super) certificate: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
    pub(super) client_ca: Option<PathBuf>,
}

/// Puts the files together.
///
/// # Errors
/// One is missing, or nothing would use them; a listener that cannot be.
pub(super) fn furnish(config: &mut Config) -> Result<(), Refusal> {
    let named = config.named.clone();
    for at in &config.shell.listen {
        if let Listen::Unix(path) = at
            && path.as_os_str().len() > PATH_BYTES_MAX
        {
            let bytes = path.as_os_str().len();
            return Err(refusal(format!(
                "--listen {}: the path has {bytes} bytes; a Unix socket's has at most \
                 {PATH_BYTES_MAX}",
                at.to_string().escape_debug()
            )));
        }
    }
    config.shell.identity = match (named.certificate, named.key) {
        (Some(certificate), Some(key)) => Some(Files {
            certificate,
            key,
            client_ca: named.client_ca,
        }),
        (Some(_), None) => return Err(refusal("--tls-cert needs --tls-key beside it, its key")),
        (None, Some(_)) => {
            return Err(refusal(
                "--tls-key needs --tls-cert beside it, its certificate",
            ));
        }
        (None, None) if named.client_ca.is_some() => {
            return Err(refusal(
                "--client-ca needs --tls-cert and --tls-key beside it: without TLS no client \
                 shows a certificate",
            ));
        }
        (None, None) => None,
    };
    let has_certificate = config.shell.identity.is_some();
    let mut secure = config.listeners();
    let mut secure = secure.by_ref().filter(|at| at.is_secure(has_certificate));
    match secure.next() {
        Some(at) if !has_certificate => Err(refusal(format!(
            "--listen https://{at} needs --tls-cert and --tls-key"
        ))),
        None if has_certificate => Err(refusal(
            "--tls-cert is for nobody: every --listen is http:// or unix:",
        )),
        _ => Ok(()),
    }
}

/// Without tokens, an address that others can reach needs a word, unless all who come by it have to
/// show a certificate.
pub(super) fn consent(config: &Config) -> Result<(), Refusal> {
    let identity = config.shell.identity.as_ref();
    let asks = identity.is_some_and(|files| files.client_ca.is_some());
    let mut open = listen::public(config.listeners())
        .filter(|(at, _)| !(asks && at.is_secure(identity.is_some())));
    match open.next() {
        Some((_, addr)) if !config.insecure_no_auth && config.shell.tokens.is_none() => {
            Err(refusal(format!(
                "{addr} can be reached from other machines, and whoever reaches it could send \
                 requests from here; listen on 127.0.0.1:{}, say who may with --tokens FILE (see \
                 hookah token new), ask all for a certificate with --client-ca, or add \
                 --insecure-no-auth if that is what you want",
                addr.port()
            )))
        }
        _ => Ok(()),
    }
}

fn refusal(text: impl Into<String>) -> Refusal {
    Refusal {
        text: text.into(),
        exit_code: Exit::Config.code(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::config::{Command, Outside, command};

    /// What comes of these flags: the configuration, or the refusal and its exit code.
    fn read(flags: &str) -> Result<Config, (u8, String)> {
        let args = flags.split_whitespace().map(Into::into);
        let outside = Outside {
            variables: vec![],
            descriptors: 4_096,
            inherited: vec![],
            read: |_| Err(String::new()),
            reread: |_| Err(String::new()),
        };
        match command(args, &outside) {
            Ok(Command::Serve(config)) => Ok(*config),
            Ok(other) => panic!("{flags}: {other:?}"),
            Err(refusal) => Err((refusal.exit_code, refusal.to_string())),
        }
    }

    #[test]
    fn certificates_come_with_what_they_need() {
        let long = format!("--listen unix:/{}", "x".repeat(PATH_BYTES_MAX));
        let rows = [
            ("--tls-cert c", "--tls-cert needs --tls-key"),
            ("--tls-key k", "--tls-key needs --tls-cert"),
            ("--client-ca a", "--client-ca needs --tls-cert"),
            (
                "--listen https://127.0.0.1:1",
                "--listen https://127.0.0.1:1 needs --tls-cert",
            ),
            (
                "--tls-cert c --tls-key k --listen unix:/s --listen http://127.0.0.1:1",
                "--tls-cert is for nobody",
            ),
            (&long, "--listen unix:/xxx"),
        ];
        for (flags, text) in rows {
            let (code, said) = read(flags).unwrap_err();
            assert_eq!(code, 78, "{flags}");
            assert!(said.starts_with(text), "{flags}: {said}");
        }
        let config = read("--tls-cert c --tls-key k --client-ca a").unwrap();
        let files = config.shell.identity.unwrap();
        assert_eq!(files.certificate, PathBuf::from("c"));
        assert_eq!(files.key, PathBuf::from("k"));
        assert_eq!(files.client_ca, Some("a".into()));
        assert!(read(&long[..long.len() - 1]).is_ok(), "the longest path");
    }

    #[test]
    fn a_public_address_is_open_to_who_shows_a_certificate() {
        let tls = "--tls-cert c --tls-key k";
        for (flags, allowed) in [
            ("--listen 0.0.0.0:1", false),
            ("--listen 0.0.0.0:1 --client-ca a", true),
            ("--listen https://0.0.0.0:1 --client-ca a", true),
            (
                "--listen 127.0.0.1:1 --listen http://0.0.0.0:2 --client-ca a",
                false,
            ),
        ] {
            let read = read(&format!("{tls} {flags}"));
            assert_eq!(read.is_ok(), allowed, "{flags}: {read:?}");
        }
        // Who may come in is one thing, what may be called another.
        let config = read(&format!("{tls} --client-ca a --listen 0.0.0.0:1")).unwrap();
        assert!(config.shell.targets.starts_with("public"));
        let config = read("--listen unix:/s").unwrap();
        assert!(config.shell.targets.starts_with("local"));
    }
}
