//! Addresses to listen on, and which of them need a word of consent.
//! It binds nothing and resolves no name.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::shell::Listen;

/// What [`address`] takes, in words.
pub(super) const LISTEN_FORM: &str = "ADDRESS:PORT, [IPV6]:PORT or localhost:PORT";

/// Reads an address. Names are not looked up: what a server listens on must not depend on DNS.
pub(super) fn address(text: &str) -> Option<Listen> {
    let addr = match text.strip_prefix("localhost:") {
        Some(port) => SocketAddr::new(Ipv4Addr::LOCALHOST.into(), decimal(port)?),
        None => {
            decimal(text.rsplit_once(':')?.1)?;
            text.parse().ok()?
        }
    };
    Some(Listen::Tcp(addr))
}

/// That port of 127.0.0.1.
pub(super) fn local(port: u64) -> Option<Listen> {
    let port = u16::try_from(port).ok()?;
    Some(Listen::Tcp(SocketAddr::new(
        Ipv4Addr::LOCALHOST.into(),
        port,
    )))
}

/// The first address that other machines can reach.
pub(super) fn public(list: &[Listen]) -> Option<SocketAddr> {
    list.iter()
        .map(|Listen::Tcp(addr)| *addr)
        .find(|addr| !is_loopback(addr.ip()))
}

fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

/// A port number; std would take a sign before it.
fn decimal(text: &str) -> Option<u16> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let rows = [
            ("127.0.0.1:8080", Some("127.0.0.1:8080")),
            ("0.0.0.0:0", Some("0.0.0.0:0")),
            ("[::1]:65535", Some("[::1]:65535")),
            ("localhost:80", Some("127.0.0.1:80")),
            ("localhost:", None),
            ("localhost:+80", None),
            ("127.0.0.1:65536", None),
            ("127.0.0.1", None),
            ("::1:80", None),
            (":80", None),
            ("8080", None),
            ("example.com:80", None),
            ("", None),
        ];
        for (text, addr) in rows {
            let expected = addr.map(|addr| Listen::Tcp(addr.parse().unwrap()));
            assert_eq!(address(text), expected, "{text}");
        }
    }

    #[test]
    fn only_loopback_is_private() {
        let rows = [
            ("127.0.0.1:1", false),
            ("127.9.9.9:1", false),
            ("[::1]:1", false),
            ("[::ffff:127.0.0.1]:1", false),
            ("0.0.0.0:1", true),
            ("[::]:1", true),
            ("192.168.1.1:1", true),
            ("[::ffff:10.0.0.1]:1", true),
        ];
        for (text, expected) in rows {
            let list = [local(1).unwrap(), address(text).unwrap()];
            assert_eq!(public(&list).is_some(), expected, "{text}");
        }
    }
}
