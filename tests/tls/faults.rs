//! What goes wrong, each with a word of its own: certificates, versions, peers that are something
//! else than they seem, ends at every point.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::authority::{Authority, Flaw, VERSIONS, file};
use crate::ground::{drain, ending, ends, order, trusting};
use crate::server::{Server, run};
use crate::target::{Call, OK, Target};

#[test]
fn each_flaw_of_a_certificate_has_its_word_and_waits_five_minutes() {
    let authority = Authority::new();
    let mut server = trusting(&authority);
    let rows = [
        (Flaw::Expired, "tls_cert_expired", "CertificateExpired"),
        (
            Flaw::NotYetValid,
            "tls_cert_not_yet_valid",
            "CertificateExpired",
        ),
        (Flaw::WrongHost, "tls_cert_wrong_host", "BadCertificate"),
        (
            Flaw::WrongPurpose,
            "tls_cert_wrong_purpose",
            "UnsupportedCertificate",
        ),
        (Flaw::UnknownAuthority, "tls_cert_unknown_ca", "UnknownCA"),
        (
            Flaw::OtherAuthority,
            "tls_cert_bad_signature",
            "DecryptError",
        ),
        (
            Flaw::SelfSigned,
            "tls_cert_self_signed",
            "CertificateUnknown",
        ),
        (
            Flaw::SelfSignedAuthority,
            "tls_cert_self_signed",
            "CertificateUnknown",
        ),
    ];
    for (flaw, word, alert) in rows {
        for version in VERSIONS {
            let target = Target::open();
            let config = authority.config(flaw, Some(version));
            order(&server, &target.url(), "");
            let shaken = Call::shake(target.accept(), &config);
            let why = shaken.err().expect("a handshake that fails").to_string();
            assert!(why.contains(alert), "{flaw:?}: the server is told {why}");
            let end = ending(&mut server);
            let how = format!(" error=tls detail={word} next=retry at_least_ms=300000 ");
            assert!(end.contains(&how), "{flaw:?}: {end}");
        }
    }
}

#[test]
fn without_the_authority_s_file_it_is_unknown() {
    let authority = Authority::new();
    let mut server = Server::with(["--port", "0", "--log", "debug"]);
    let target = Target::open();
    let config = authority.config(Flaw::None, None);
    order(&server, &target.url(), "&_retries=0");
    assert!(Call::shake(target.accept(), &config).is_err());
    ends(
        &mut server,
        "error=tls detail=tls_cert_unknown_ca",
        "no --ca-file",
    );
}

#[test]
fn a_self_signed_certificate_is_trusted_once_it_is_in_the_file() {
    let authority = Authority::new();
    let (certificate, key) = authority.certificate(Flaw::SelfSigned);
    let pem = pem(&certificate);
    let both = format!("A comment\n{pem}{pem}");
    let path = file(&both);
    let flags = [
        "--port",
        "0",
        "--log",
        "debug",
        "--ca-file",
        path.to_str().unwrap(),
    ];
    let mut server = Server::with(flags);
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let target = Target::open();
    order(&server, &target.url(), "");
    let mut call = target.secured(&config.into());
    call.request();
    call.say(OK);
    ends(&mut server, "status=200", "self-signed and trusted");
    std::fs::remove_file(path).unwrap();
}

fn pem(certificate: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(certificate);
    let lines: Vec<&str> = (0..text.len())
        .step_by(64)
        .map(|at| &text[at..text.len().min(at + 64)])
        .collect();
    let text = lines.join("\n");
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}

#[test]
fn a_file_that_is_no_use_stops_the_start_and_is_named() {
    let mut server_s = pem(b"no certificate at all");
    let key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let cut = "-----BEGIN CERTIFICATE-----\nAAAA\n";
    server_s.push('\n');
    let rows = [
        ("", "has no certificate"),
        ("just words", "has no certificate"),
        (key, "has no certificate"),
        (cut, "is not PEM as it should be"),
        (server_s.as_str(), "has a certificate, number 1, of no use"),
    ];
    for (text, complaint) in rows {
        let path = file(text);
        let ran = run(["--port", "0", "--ca-file", path.to_str().unwrap()]);
        let start = format!("hookah: --ca-file {} {complaint}", path.display());
        assert!(ran.stderr.starts_with(&start), "{text:?}: {}", ran.stderr);
        assert_eq!((ran.code, ran.stderr.lines().count()), (Some(78), 1));
        std::fs::remove_file(path).unwrap();
    }
    let ran = run(["--port", "0", "--ca-file", "/nowhere/ca.pem"]);
    let start = "hookah: --ca-file /nowhere/ca.pem cannot be read: ";
    assert!(ran.stderr.starts_with(start), "{}", ran.stderr);
    assert_eq!(ran.code, Some(78));
}

/// A server that asks for a certificate, of which we have none.
#[test]
fn a_certificate_asked_of_us_is_a_failure_that_says_so() {
    let authority = Authority::new();
    let mut server = trusting(&authority);
    for version in VERSIONS {
        let target = Target::open();
        let config = authority.mutual(version);
        order(&server, &target.url(), "&_retries=0");
        let mut socket = target.accept();
        let why = Call::shake(&mut socket, &config).err().unwrap().to_string();
        assert!(why.contains("no certificates"), "{why}");
        // In TLS 1.3 the request may be on its way already, and must not be lost to a reset.
        socket.shutdown(std::net::Shutdown::Write).unwrap();
        drain(&mut socket);
        let word = "error=tls detail=tls_alert_certificate_required";
        ends(&mut server, word, &format!("{version:?}"));
    }
}

/// The first message of the client, read off a connection.
fn hello(socket: &mut TcpStream) {
    let mut head = [0; 5];
    socket.read_exact(&mut head).unwrap();
    assert_eq!(head[..2], [22, 3], "a handshake record");
    let mut rest = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
    socket.read_exact(&mut rest).unwrap();
}

/// A fatal alert in a record of its own.
fn alert(code: u8) -> Vec<u8> {
    vec![21, 3, 1, 0, 2, 2, code]
}

/// The ServerHello of a server that knows no more than TLS 1.0 (RFC 2246 section 7.4.1.3): version,
/// random, no session, TLS_RSA_WITH_AES_128_CBC_SHA, no compression.
fn hello_of_1999() -> Vec<u8> {
    let mut record = vec![22, 3, 1, 0, 42, 2, 0, 0, 38, 3, 1];
    record.extend([7; 32]);
    record.extend([0, 0, 0x2f, 0]);
    record
}

#[test]
fn a_server_that_is_something_else_is_told_apart() {
    let authority = Authority::new();
    let mut server = trusting(&authority);
    let bad_request = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
    let rows: [(&str, Vec<u8>, &str); 12] = [
        ("HTTP", bad_request.to_vec(), "tls_not_tls"),
        ("SSH", b"SSH-2.0-OpenSSH_9.2p1\r\n".to_vec(), "tls_not_tls"),
        ("zeros", vec![0; 64], "tls_not_tls"),
        ("TLS 1.0", hello_of_1999(), "tls_protocol_version"),
        ("alert", alert(70), "tls_protocol_version"),
        ("alert", alert(40), "tls_alert_handshake_failure"),
        ("alert", alert(112), "tls_alert_unrecognized_name"),
        ("alert", alert(120), "tls_alert_no_application_protocol"),
        ("alert", alert(80), "tls_alert_internal_error"),
        ("alert", alert(49), "tls_alert_access_denied"),
        ("nothing", vec![], "tls_closed_in_handshake"),
        (
            "half a record",
            hello_of_1999()[..20].to_vec(),
            "tls_closed_in_handshake",
        ),
    ];
    for (what, bytes, word) in rows {
        let target = Target::open();
        order(&server, &target.url(), "&_retries=0");
        let mut socket = target.accept();
        hello(&mut socket);
        socket.write_all(&bytes).unwrap();
        socket.shutdown(std::net::Shutdown::Write).unwrap();
        ends(&mut server, &format!("error=tls detail={word}"), what);
    }
}

#[test]
fn a_message_without_end_is_not_waited_for() {
    let authority = Authority::new();
    let mut server = trusting(&authority);
    let target = Target::open();
    order(&server, &target.url(), "&_retries=0");
    let mut socket = target.accept();
    hello(&mut socket);
    // A handshake message of 1 MiB in records of 16 KiB: a chain that never ends.
    let mut first = vec![22, 3, 3, 0x40, 0, 2, 0x10, 0, 0];
    first.resize(5 + (16 << 10), 0);
    let _ = socket.write_all(&first);
    for _ in 0..8 {
        let mut more = vec![22, 3, 3, 0x40, 0];
        more.resize(5 + (16 << 10), 0);
        let _ = socket.write_all(&more);
    }
    let end = ending(&mut server);
    assert!(end.contains(" detail=tls_message_too_large "), "{end}");
}

#[test]
fn a_handshake_that_stands_still_meets_the_deadline() {
    let authority = Authority::new();
    let mut server = trusting(&authority);
    let target = Target::open();
    order(&server, &target.url(), "&_retries=0&_timeout=100ms");
    let mut socket = target.accept();
    hello(&mut socket);
    ends(
        &mut server,
        "error=connect detail=connect_timeout",
        "no answer to the hello",
    );
    drain(&mut socket);
}

#[test]
fn a_reset_in_the_handshake_is_a_failure_to_connect() {
    let authority = Authority::new();
    let mut server = trusting(&authority);
    let target = Target::open();
    order(&server, &target.url(), "&_retries=0");
    let mut socket = target.accept();
    hello(&mut socket);
    let linger = socket2::SockRef::from(&socket).set_linger(Some(std::time::Duration::ZERO));
    linger.unwrap();
    drop(socket);
    // The next address of localhost is tried, where nobody listens.
    ends(&mut server, "error=connect detail=refused", "reset");
}

#[test]
fn a_record_that_was_tampered_with_ends_the_call() {
    let authority = Authority::new();
    let mut server = trusting(&authority);
    for version in VERSIONS {
        let target = Target::open();
        let config = authority.config(Flaw::None, Some(version));
        order(&server, &target.url(), "&_retries=0");
        let mut call = target.secured(&config);
        call.request();
        let mut record = vec![23, 3, 3, 0, 64];
        record.resize(5 + 64, 0x55);
        call.stream.sock.write_all(&record).unwrap();
        ends(
            &mut server,
            "error=tls detail=tls_decrypt",
            "a false record",
        );
    }
}
