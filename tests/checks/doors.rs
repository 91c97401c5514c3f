//! Checks of the doors by which clients come: other people's programs, a handshake that never
//! comes, a storm of handshakes. Certificates are made by openssl.

use std::fs;
use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use crate::peer::{Client, metric};
use crate::process::{needs, run};
use crate::report::{Result, Trouble, ensure};
use crate::server::{Server, hookah};

const OTHERS_MAX: Duration = Duration::from_secs(1);
/// How long a handshake may take, and what the clock of a busy machine adds.
const HANDSHAKE: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(1));
const STORM: usize = 1_000;
const THREADS: usize = 8;

/// A folder with a certificate for localhost in it, which goes when this does.
struct Folder(PathBuf);

impl Folder {
    fn with_certificate() -> std::result::Result<Folder, Trouble> {
        needs("openssl", "openssl")?;
        let folder = std::env::temp_dir().join(format!("hookah-doors-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let folder = Folder(folder);
        let make = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
                    -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
                    -addext basicConstraints=critical,CA:FALSE -keyout";
        let mut openssl = Command::new("openssl");
        openssl.args(make.split_whitespace());
        run(openssl
            .arg(folder.path("key.pem"))
            .arg("-out")
            .arg(folder.path("cert.pem")))?;
        Ok(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// A server that listens with TLS, plainly and at a path.
    fn serve(&self) -> Server {
        let mut command = hookah();
        command.args([
            "--listen=https://127.0.0.1:0",
            "--listen=http://127.0.0.1:0",
        ]);
        command.arg(format!("--listen=unix:{}", self.path("s").display()));
        command.arg("--tls-cert").arg(self.path("cert.pem"));
        command.arg("--tls-key").arg(self.path("key.pem"));
        Server::spawn(command)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// curl by TLS and by a Unix socket, openssl with a version that is too old.
pub fn programs() -> Result {
    needs("curl", "curl")?;
    let folder = Folder::with_certificate()?;
    let server = folder.serve();
    let port = server.addr().port();
    let curl = |option: &str, file: &Path, url: &str| {
        let mut command = Command::new("curl");
        run(command
            .arg("-sS")
            .arg("--fail")
            .arg(option)
            .arg(file)
            .arg(url))
    };
    let secure = format!("https://localhost:{port}/health");
    curl("--cacert", &folder.path("cert.pem"), &secure)?;
    curl(
        "--unix-socket",
        &folder.path("s"),
        "http://localhost/health",
    )?;
    let mut refused = 0;
    for version in ["-tls1", "-tls1_1"] {
        let mut openssl = Command::new("openssl");
        let at = format!("127.0.0.1:{port}");
        openssl.args([
            "s_client",
            "-connect",
            &at,
            version,
            "-cipher",
            "ALL:@SECLEVEL=0",
        ]);
        refused += usize::from(run(&mut openssl).is_err());
    }
    ensure(refused == 2, || "an old version of TLS came in".to_owned())?;
    Ok("curl by TLS and by a path; openssl with TLS 1.0 and 1.1 is refused".to_owned())
}

/// A client that connects and says nothing is closed after five seconds.
pub fn silent() -> Result {
    let folder = Folder::with_certificate()?;
    let server = folder.serve();
    let mut mute = TcpStream::connect(server.addr())?;
    let began = Instant::now();
    let count = mute.read(&mut [0; 16])?;
    let waited = began.elapsed();
    let (least, more) = HANDSHAKE;
    let fine = count == 0 && waited + Duration::from_millis(50) > least && waited < least + more;
    let found = format!("closed after {waited:.2?} without a word");
    ensure(fine, || found.clone())?;
    Ok(found)
}

/// Who is in already, or comes without TLS, goes on while 1,000 shake hands at once.
pub fn storm() -> Result {
    let folder = Folder::with_certificate()?;
    let server = folder.serve();
    let config = trusting(&folder.path("cert.pem"))?;
    let (secure, plain) = (server.addr(), server.addrs()[1]);
    let over = Arc::new(AtomicBool::new(false));
    let mut client = Client::connect(plain)?;
    client.get("/health")?;
    let began = Instant::now();
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let config = Arc::clone(&config);
            thread::spawn(move || shake(secure, &config, STORM / THREADS))
        })
        .collect();
    let watch = {
        let over = Arc::clone(&over);
        thread::spawn(move || {
            let mut slowest = Duration::ZERO;
            while !over.load(Ordering::Relaxed) {
                let asked = Instant::now();
                client.get("/health")?;
                slowest = slowest.max(asked.elapsed());
            }
            std::result::Result::<_, Trouble>::Ok(slowest)
        })
    };
    let done = threads.into_iter().map(|thread| thread.join().unwrap_or(0));
    let done: usize = done.sum();
    let took = began.elapsed();
    over.store(true, Ordering::Relaxed);
    let slowest = watch
        .join()
        .unwrap_or_else(|_| Err(Trouble::failed("lost")))?;
    let counted = metric(plain, "hookah_handshakes_total")?;
    let found = format!(
        "{done} handshakes in {took:.1?} ({counted} counted); a plain client waited {slowest:.1?} \
         at most"
    );
    ensure(done == STORM && slowest < OTHERS_MAX, || found.clone())?;
    Ok(found)
}

/// That many handshakes at once; how many succeeded.
fn shake(at: SocketAddr, config: &Arc<ClientConfig>, count: usize) -> usize {
    let begun: Vec<_> = (0..count)
        .filter_map(|_| {
            let name = ServerName::try_from("localhost").ok()?;
            let mut socket = TcpStream::connect(at).ok()?;
            let mut session = ClientConnection::new(Arc::clone(config), name).ok()?;
            session.write_tls(&mut socket).ok()?;
            Some((socket, session))
        })
        .collect();
    let ends = begun.into_iter().map(|(mut socket, mut session)| {
        while session.is_handshaking() {
            session.complete_io(&mut socket).ok()?;
        }
        Some(())
    });
    ends.flatten().count()
}

fn trusting(certificate: &Path) -> std::result::Result<Arc<ClientConfig>, Trouble> {
    let trouble = |why: &dyn std::fmt::Display| Trouble::failed(why.to_string());
    let certificate = CertificateDer::from_pem_file(certificate).map_err(|why| trouble(&why))?;
    let mut roots = RootCertStore::empty();
    roots.add(certificate).map_err(|why| trouble(&why))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|why| trouble(&why))?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.resumption = rustls::client::Resumption::disabled();
    Ok(Arc::new(config))
}
