//! Targets with certificates and versions of TLS that nobody should trust any more, made and
//! served by openssl, since no library of ours makes them.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::peer::{Client, metric, until};
use crate::process::{needs, run};
use crate::report::{Result, Trouble, ensure};
use crate::server::{Server, hookah};

type Made<T> = std::result::Result<T, Trouble>;

/// A folder with an authority and two certificates of it, which goes when this does.
struct Folder(PathBuf);

impl Folder {
    fn with_certificates() -> Made<Folder> {
        needs("openssl", "openssl")?;
        let name = format!("hookah-certificates-{}", std::process::id());
        let folder = Folder(std::env::temp_dir().join(name));
        std::fs::create_dir_all(&folder.0)?;
        std::fs::write(folder.path("names"), "subjectAltName=DNS:localhost\n")?;
        folder.openssl(
            "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=Authority \
             -addext basicConstraints=critical,CA:TRUE -keyout ca.key -out ca.pem",
        )?;
        folder.openssl(
            "req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout own.key -out own.csr",
        )?;
        for digest in ["sha256", "sha1"] {
            folder.openssl(&format!(
                "x509 -req -{digest} -in own.csr -CA ca.pem -CAkey ca.key -CAcreateserial \
                 -days 2 -extfile names -out {digest}.pem"
            ))?;
        }
        Ok(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn openssl(&self, args: &str) -> Made<()> {
        let mut command = Command::new("openssl");
        run(command.current_dir(&self.0).args(args.split_whitespace()))?;
        Ok(())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A target by openssl, on a port of the system's choice.
struct Old(Child, u16);

impl Old {
    fn serve(folder: &Path, certificate: &str, more: &str) -> Made<Old> {
        let mut child = Command::new("openssl")
            .current_dir(folder)
            .args(["s_server", "-accept", "127.0.0.1:0", "-www"])
            .args(["-key", "own.key", "-cert", certificate])
            // Else it would not show such a certificate itself.
            .args(["-cipher", "DEFAULT@SECLEVEL=0"])
            .args(more.split_whitespace())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let stdout = child.stdout.take();
        let stdout = stdout.ok_or_else(|| Trouble::failed("no stdout"))?;
        for line in BufReader::new(stdout).lines() {
            let line = line?;
            let port = line.strip_prefix("ACCEPT 127.0.0.1:");
            if let Some(port) = port.and_then(|port| port.trim().parse().ok()) {
                return Ok(Old(child, port));
            }
        }
        let _ = child.kill();
        let _ = child.wait();
        Err(Trouble::failed("openssl does not listen"))
    }
}

impl Drop for Old {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A certificate signed with SHA-1, and versions before 1.2, are refused with a word; the same key
/// under SHA-256 and 1.2 is not.
pub fn outdated() -> Result {
    let folder = Folder::with_certificates()?;
    let rows = [
        ("sha256.pem", "-tls1_2", "delivered"),
        ("sha1.pem", "-tls1_2", "tls_cert_"),
        ("sha1.pem", "-tls1_3", "tls_cert_"),
        ("sha256.pem", "-tls1_1", "tls_"),
        ("sha256.pem", "-tls1", "tls_"),
    ];
    let mut command = hookah();
    command.args(["--port", "0", "--ca-file"]);
    let server = Server::spawn({
        command.arg(folder.path("ca.pem"));
        command
    });
    let addr = server.addr();
    let mut told = Vec::new();
    for (number, (certificate, version, word)) in (1..).zip(rows) {
        let old = Old::serve(&folder.0, certificate, version)?;
        let url = format!("https://localhost:{}/", old.1);
        let form = format!("_url={url}&_method=GET&_retries=0");
        let id = Client::connect(addr)?.accepted_id(&form)?;
        until("it has ended", Duration::from_secs(20), || {
            let delivered = metric(addr, "hookah_deliveries_delivered_total")?;
            Ok(delivered + metric(addr, "hookah_deliveries_failed_total")? == number)
        })?;
        let said = Client::connect(addr)?.get(&format!("/messages/{id}"))?.body;
        ensure(said.contains(word), || {
            format!("{certificate} {version}: {said}")
        })?;
        let detail = said.split("\"detail\":\"").nth(1);
        let detail = detail.and_then(|rest| rest.split('"').next());
        told.push(format!(
            "{certificate} {version} {}",
            detail.unwrap_or("delivered")
        ));
    }
    Ok(told.join("; "))
}
