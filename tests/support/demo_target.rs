//! A webhook's target to try Hookah with: it prints what comes and answers 200. A hub that asks it
//! gets its challenge back, and what is posted under `/feed` is what a GET there gives.
//! It reads bodies of a known length, one request after the other, and nothing cleverer.
//!
//! `cargo run --release --example target [-- [--tls] [PORT]]`; the port is 9000, or 9443 for TLS.
//! With `--tls` its certificate is signed by an authority that it makes at each start, and whose
//! certificate it leaves in `target-ca.pem`, in the folder where it was started.

use std::env;
use std::error::Error;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// The topic of a publisher to try the hub with, and what it says.
const FEED: &str = "/feed";
static SAID: Mutex<Vec<u8>> = Mutex::new(Vec::new());
const AUTHORITY_FILE: &str = "target-ca.pem";

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let mut port = None;
    let mut tls = None;
    for argument in env::args().skip(1) {
        match argument.as_str() {
            "--tls" => tls = Some(secured()?),
            text => port = Some(text.parse().map_err(|_| "use: target [--tls] [PORT]")?),
        }
    }
    let usual = if tls.is_some() { 9443 } else { 9000 };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port.unwrap_or(usual)))?;
    let addr = listener.local_addr()?;
    match tls {
        None => println!("target listening on http://{addr}"),
        Some(_) => {
            println!("target listening on https://localhost:{}", addr.port());
            println!("Hookah trusts it so: cargo run --release -- --ca-file {AUTHORITY_FILE}");
        }
    }
    for stream in listener.incoming() {
        let (stream, tls) = (stream?, tls.clone());
        // A client that goes away in the middle is no reason to stop.
        thread::spawn(move || match tls {
            None => serve(stream),
            Some(config) => {
                let tls = ServerConnection::new(config).map_err(io::Error::other)?;
                serve(StreamOwned::new(tls, stream))
            }
        });
    }
    Ok(())
}

/// Prints and answers what comes on one connection until it ends.
fn serve(stream: impl Read + Write) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some((head, body)) = request(&mut stream)? {
        let mut out = io::stdout().lock();
        let shown = String::from_utf8_lossy(&body);
        writeln!(out, "\n{head}{}", shown.trim_end())?;
        out.flush()?;
        drop(out);
        let answer = answer(&head, body);
        let length = answer.len();
        let stream = stream.get_mut();
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n"
        )?;
        stream.write_all(&answer)?;
        stream.flush()?;
    }
    Ok(())
}

/// What it says to that: a challenge, its feed, or nothing.
fn answer(head: &str, body: Vec<u8>) -> Vec<u8> {
    let mut words = head.split(' ');
    let (method, target) = (words.next(), words.next().unwrap_or_default());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    match method {
        Some("GET") if path == FEED => said.clone(),
        Some("GET") => {
            let mut fields = query.split('&');
            let challenge = fields.find_map(|field| field.strip_prefix("hub.challenge="));
            challenge.unwrap_or_default().into()
        }
        Some("POST") if path == FEED => {
            *said = body;
            Vec::new()
        }
        _ => Vec::new(),
    }
}

/// The head's lines and the body of the next request; `None` where the connection ends.
fn request(from: &mut impl BufRead) -> io::Result<Option<(String, Vec<u8>)>> {
    let mut head = String::new();
    let mut length = 0;
    loop {
        let start = head.len();
        if from.read_line(&mut head)? == 0 {
            return Ok(None);
        }
        let line = head[start..].trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body)?;
    Ok(Some((head, body)))
}

/// A certificate for this machine by an authority made on the spot, which is left in its file.
/// The authority's key is forgotten, so that nobody else can ever use it.
fn secured() -> Result<Arc<ServerConfig>> {
    let mut params = CertificateParams::new([])?;
    let name = "Hookah's example target";
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate()?;
    fs::write(AUTHORITY_FILE, params.self_signed(&key)?.pem())?;
    let authority = Issuer::new(params, key);

    let names = ["localhost", "127.0.0.1"].map(str::to_owned);
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(names)?.signed_by(&key, &authority)?;
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.into())?;
    Ok(Arc::new(config))
}
