//! The text at `/` for whoever asks with curl: what this is, lines to try, what there is.
//! It is for a shell to read too, so nothing that a client says of itself gets into it unless it
//! means nothing to a shell.

use std::borrow::Cow;
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::model::{Door, Visitor};

/// Where the server listens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Doors {
    /// The TCP addresses, and whether each speaks TLS.
    pub tcp: Vec<(SocketAddr, bool)>,
    /// The path of the first Unix socket, absolute; of one without a file its name, behind an `@`.
    pub socket: Option<Box<str>>,
}

/// What there is to know of whoever asks, and of the server.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The Host field, a `uri-host` with a port or without; empty if there is none.
    pub host: &'a str,
    /// Who asks.
    pub visitor: Visitor,
    /// Where the server listens.
    pub doors: &'a Doors,
    /// `--public-url`, without a `/` at its end.
    pub public_url: Option<&'a str>,
    /// Whether the lines need a token.
    pub token: bool,
    /// Whether a webhook may go to this machine.
    pub calls_home: bool,
    /// Whether the hub may call this machine if this client asks for it.
    pub hub_calls_home: bool,
}

/// An endpoint: its methods, its path, what it does.
pub type Endpoint = (String, String, &'static str);

/// A server of ours for examples, if there is somebody at it, and one that is everybody's.
const HERE: &str = "http://localhost:9000/";
const ELSEWHERE: &str = "https://example.com/";

/// The text.
#[must_use]
pub fn text(asked: &Asked<'_>, endpoints: &[Endpoint]) -> String {
    let (options, base) = way(asked);
    let curl = match asked.token {
        true => format!("curl{options} -H \"Authorization: Bearer $TOKEN\""),
        false => format!("curl{options}"),
    };
    let url = |rest: &str| quoted(&format!("{base}{rest}")).into_owned();
    let example = |home| if home { HERE } else { ELSEWHERE };
    let (target, callback) = (example(asked.calls_home), example(asked.hub_calls_home));
    let dispatch = url("/dispatch");
    let mut out = format!(
        "Hookah {}: webhooks with retry, a WebSub hub and live streams over HTTP.\n\
         This is for a terminal; a browser gets a page at the same address.\n\n",
        env!("CARGO_PKG_VERSION")
    );
    if asked.token {
        out.push_str(
            "TOKEN is a token with the right to do it, as `hookah token new` makes one:\n  \
             TOKEN=hk_...\n\n",
        );
    }
    let lines = [
        (
            "Send a webhook; it is retried until the target takes it:",
            format!("{curl} -d _url={target} -d hello=world {dispatch}"),
        ),
        (
            "Publish to a topic, and read it live:",
            format!("{curl} -d _topic=news -d title=hello {dispatch}"),
        ),
        (
            "",
            format!("{curl} -N {}", url("/stream?topic=news&since=all")),
        ),
        (
            "Subscribe a callback to it at the hub (WebSub, PubSubHubbub):",
            format!(
                "{curl} -d hub.mode=subscribe -d hub.topic=news -d hub.callback={callback} {}",
                url("/hub")
            ),
        ),
        (
            "See what became of it all:",
            format!("{curl} {}", url("/messages?limit=5")),
        ),
    ];
    for (what, line) in lines {
        let _ = match what {
            "" => writeln!(out, "  {line}"),
            what => writeln!(out, "{what}\n  {line}"),
        };
    }
    out.push_str("\nWhat there is:\n");
    list(&mut out, endpoints);
    out
}

fn list(out: &mut String, endpoints: &[Endpoint]) {
    let width = |text: &str| text.chars().count();
    let widest = |texts: &mut dyn Iterator<Item = &String>| texts.map(|it| width(it)).max();
    let methods = widest(&mut endpoints.iter().map(|it| &it.0)).unwrap_or_default();
    let paths = widest(&mut endpoints.iter().map(|it| &it.1)).unwrap_or_default();
    for (method, path, help) in endpoints {
        let _ = writeln!(out, "  {method:methods$}  {path:paths$}  {help}");
    }
}

/// The options of curl that lead here, each with a space before it, and what URLs begin with.
fn way(asked: &Asked<'_>) -> (String, String) {
    let socket = asked.doors.socket.as_deref();
    let given = plain(asked.host);
    let by_socket = match asked.visitor.door {
        // Whoever else comes through it may be a web server in front of us.
        Door::Unix { owner } => owner || given.is_none_or(|host| host == "localhost"),
        Door::Open | Door::Loopback => false,
    };
    if let Some(path) = socket.filter(|_| by_socket) {
        let path = match path.strip_prefix('@') {
            Some(name) => format!(" --abstract-unix-socket {}", quoted(name)),
            None => format!(" --unix-socket {}", quoted(path)),
        };
        return (path, "http://localhost".to_owned());
    }
    if let Some(url) = asked.public_url {
        return (String::new(), url.to_owned());
    }
    let scheme = match asked.visitor.secure {
        true => "https",
        false => "http",
    };
    let host = given.map_or_else(|| listener(asked), str::to_owned);
    (String::new(), format!("{scheme}://{host}"))
}

/// A Host that means the same in a shell, without a colon that no port follows.
fn plain(host: &str) -> Option<&str> {
    let means_itself = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    let host = host.strip_suffix(':').unwrap_or(host);
    (!host.is_empty() && host.bytes().all(means_itself)).then_some(host)
}

/// The address of a listener that such a client may have come by, as one on this machine has it.
fn listener(asked: &Asked<'_>) -> String {
    let visitor = asked.visitor;
    let fits = |(addr, secure): &&(SocketAddr, bool)| {
        let is_loopback = addr.ip().is_loopback();
        *secure == visitor.secure && is_loopback == (visitor.door == Door::Loopback)
    };
    let tcp = &asked.doors.tcp;
    let alike = || tcp.iter().find(|(_, secure)| *secure == visitor.secure);
    let Some((addr, _)) = tcp.iter().find(fits).or_else(alike) else {
        return "127.0.0.1:8080".to_owned();
    };
    reachable(*addr).to_string()
}

/// The address by which a client on this machine reaches a listener.
#[must_use]
pub fn reachable(addr: SocketAddr) -> SocketAddr {
    let ip = match addr.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, addr.port())
}

/// A word as a shell reads it: in quotes if anything in it has a meaning of its own.
fn quoted(word: &str) -> Cow<'_, str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b":/._-+,@%".contains(&byte);
    match word.bytes().all(plain) {
        true => Cow::Borrowed(word),
        false => Cow::Owned(format!("'{}'", word.replace('\'', r"'\''"))),
    }
}

#[cfg(test)]
mod tests;
