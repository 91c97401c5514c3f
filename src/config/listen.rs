//! Addresses to listen on, which of them need a word of consent, and those of name servers.
//! It binds nothing and resolves no name.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::shell::{Listen, Scheme};

/// What [`address`] takes, in words.
pub(super) const LISTEN_FORM: &str =
    "ADDRESS:PORT, [IPV6]:PORT or localhost:PORT, with http:// or https:// before it, or unix:PATH";

/// Reads an address. Names are not looked up: what a server listens on must not depend on DNS.
pub(super) fn address(text: &str) -> Option<Listen> {
    if let Some(path) = text.strip_prefix("unix:") {
        return (!path.is_empty() && !path.contains('\0')).then(|| Listen::Unix(path.into()));
    }
    let schemes = [("http://", Scheme::Http), ("https://", Scheme::Https)];
    let scheme = schemes.iter().find_map(|(prefix, scheme)| {
        let rest = text.strip_prefix(prefix)?;
        Some((rest.strip_suffix('/').unwrap_or(rest), *scheme))
    });
    let (text, scheme) = scheme.unwrap_or((text, Scheme::Either));
    let addr = match text.strip_prefix("localhost:") {
        Some(port) => SocketAddr::new(Ipv4Addr::LOCALHOST.into(), decimal(port)?),
        None => {
            decimal(text.rsplit_once(':')?.1)?;
            text.parse().ok()?
        }
    };
    Some(Listen::Tcp(addr, scheme))
}

/// What [`name_server`] takes, in words.
pub(super) const SERVER_FORM: &str = "ADDRESS, ADDRESS:PORT, IPV6 or [IPV6]:PORT";

/// Reads a name server's address; its port is 53 unless it says otherwise.
pub(super) fn name_server(text: &str) -> Option<SocketAddr> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(SocketAddr::new(address, 53));
    }
    let port = decimal(text.rsplit_once(':')?.1)?;
    text.parse().ok().filter(|_| port != 0)
}

/// That port of 127.0.0.1.
pub(super) fn local(port: u64) -> Option<Listen> {
    let port = u16::try_from(port).ok()?;
    let addr = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port);
    Some(Listen::Tcp(addr, Scheme::Either))
}

/// The addresses that other machines can reach.
pub(super) fn public<'a>(
    list: impl IntoIterator<Item = &'a Listen>,
) -> impl Iterator<Item = (&'a Listen, SocketAddr)> {
    list.into_iter().filter_map(|at| match at {
        Listen::Tcp(addr, _) if !is_loopback(addr.ip()) => Some((at, *addr)),
        _ => None,
    })
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
            let tcp = |scheme| addr.map(|addr| Listen::Tcp(addr.parse().unwrap(), scheme));
            assert_eq!(address(text), tcp(Scheme::Either), "{text}");
            let http = format!("http://{text}");
            assert_eq!(address(&http), tcp(Scheme::Http), "{http}");
            let https = format!("https://{text}");
            assert_eq!(address(&https), tcp(Scheme::Https), "{https}");
        }
    }

    #[test]
    fn paths() {
        for path in ["/run/h.sock", "h.sock", "127.0.0.1:80"] {
            let expected = Some(Listen::Unix(path.into()));
            assert_eq!(address(&format!("unix:{path}")), expected);
        }
        for text in [
            "unix:",
            "unix:a\0b",
            "/run/h.sock",
            "http://unix:/run/h.sock",
        ] {
            assert_eq!(address(text), None, "{text}");
        }
        let list = [address("unix:/run/h.sock").unwrap()];
        assert!(public(&list).next().is_none());
    }

    #[test]
    fn name_servers() {
        let rows = [
            ("10.0.0.1", Some("10.0.0.1:53")),
            ("10.0.0.1:5353", Some("10.0.0.1:5353")),
            ("fd00::1", Some("[fd00::1]:53")),
            ("[fd00::1]:5353", Some("[fd00::1]:5353")),
            ("10.0.0.1:0", None),
            ("10.0.0.1:+53", None),
            ("[fd00::1]", None),
            ("dns.example", None),
            ("localhost:53", None),
            ("", None),
        ];
        for (text, addr) in rows {
            let expected = addr.map(|addr| addr.parse().unwrap());
            assert_eq!(name_server(text), expected, "{text}");
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
            assert_eq!(public(&list).next().is_some(), expected, "{text}");
        }
    }
}
