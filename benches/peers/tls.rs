//! Webhooks over TLS beside the same webhooks without, both by Hookah.
//! The sink's end of TLS runs on the sink's processor and is in no figure.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{CertificateParams, DnType, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::server::ServerSessionMemoryCache;

use crate::Bench;
use crate::load;
use crate::server::Recipe;
use crate::sink::{Sink, Temper};
use crate::table::{Figure, Target};

/// Of the count of webhooks: a handshake costs as much as many of them.
const PART: u64 = 10;
/// Sessions that the sink remembers: more than are ever in use.
const SESSIONS: usize = 1 << 16;

/// What the figures need.
pub struct Ground {
    https: Recipe,
    http: Recipe,
    config: Arc<ServerConfig>,
}

impl Ground {
    /// Makes a certificate, and two recipes of a server that trusts it.
    pub fn new(program: PathBuf, args: &[&str], dir: &Path) -> io::Result<Ground> {
        let (config, pem) = certified().map_err(io::Error::other)?;
        let file = dir.join("ca.pem");
        fs::write(&file, pem)?;
        let file = file.to_string_lossy().into_owned();
        // A run may last longer than the load may leave one of its lines idle.
        let args = [args, &["--idle-timeout", "1h", "--ca-file", &file]].concat();
        Ok(Ground {
            https: Recipe::told("https", program.clone(), &args, dir),
            http: Recipe::told("http", program, &args, dir),
            config,
        })
    }

    /// All runs, https and http by turns.
    pub fn figures(&self, bench: &mut Bench<'_>) -> Vec<Figure> {
        let rows = |names: [&'static str; 4]| names.map(|of| Figure::new(of, "http", Target::None));
        let mut kept = rows([
            "https kept, webhooks per second",
            "https kept, CPU us per webhook",
            "https kept, busy",
            "https kept, bytes of a webhook",
        ]);
        let mut closed = rows([
            "https closed, webhooks per second",
            "https closed, CPU us per webhook",
            "https closed, busy",
            "https closed, share resumed",
        ]);
        for run in 0..bench.options.runs {
            eprintln!("peers: tls, run {} of {}", run + 1, bench.options.runs);
            for (figures, closes) in [(&mut kept, false), (&mut closed, true)] {
                let mut values = [None, None];
                for turn in [run % 2, (run + 1) % 2] {
                    match self.relay(bench, turn == 0, closes) {
                        Ok(value) => values[turn] = Some(value),
                        Err(error) => bench.note(format!("tls: {error}")),
                    }
                }
                for (nth, figure) in figures.iter_mut().enumerate() {
                    let pair = (values[0].map(|of| of[nth]), values[1].map(|of| of[nth]));
                    figure.runs.push(pair);
                }
            }
        }
        kept.into_iter().chain(closed).collect()
    }

    fn relay(&self, bench: &Bench<'_>, secure: bool, closes: bool) -> io::Result<[f64; 4]> {
        let recipe = if secure { &self.https } else { &self.http };
        let tls = secure.then(|| Arc::clone(&self.config));
        let mut sink = Sink::open_with(Temper { tls, closes })?;
        let connections = bench.options.connections;
        let count = (bench.options.count / PART).max(1);
        let server = recipe.start(bench.core)?;
        load::run(server.port, &mut sink, connections, count / PART)?;
        let before = server.cpu_seconds()?;
        let shaken = sink.handshakes;
        let relayed = load::run(server.port, &mut sink, connections, count)?;
        let cpu = server.cpu_seconds()? - before;
        let last = if closes {
            let resumed = (sink.handshakes.1 - shaken.1) as f64;
            resumed / (sink.handshakes.0 - shaken.0) as f64
        } else {
            sink.webhook_bytes as f64
        };
        let count = count as f64;
        Ok([
            count / relayed.seconds,
            cpu * 1e6 / count,
            cpu / relayed.seconds,
            last,
        ])
    }
}

/// What a sink needs to be 127.0.0.1, and the certificate for those who are to believe it.
fn certified() -> Result<(Arc<ServerConfig>, String), Box<dyn std::error::Error + Send + Sync>> {
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()])?;
    params.distinguished_name.push(DnType::CommonName, "sink");
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        )?;
    config.session_storage = ServerSessionMemoryCache::new(SESSIONS);
    Ok((Arc::new(config), certificate.pem()))
}
