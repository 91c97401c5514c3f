//! From a URL's text to a target that can be called.
//! It resolves no name, and nothing of the text goes out but what the parser wrote.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use url::{Host, Position, Url};

use crate::http::problem::{Problem, Reason};
use crate::http::{form, host};
use crate::model::{Origin, Scheme, Target};

/// Bytes of a URL at most.
pub const URL_BYTES_MAX: usize = 8 * 1_024;

/// Reads one URL. Every refusal is [`Reason::BadTarget`] and hides the URL's userinfo.
pub fn parse(text: &str) -> Result<Target, Problem> {
    if text.len() > URL_BYTES_MAX {
        return Err(refuse(format!(
            "a URL of {} bytes; allowed: up to {URL_BYTES_MAX}",
            text.len()
        )));
    }
    let url = Url::parse(text).map_err(|error| {
        refuse(format!(
            "{:?} is not a URL ({error}); allowed: http://host[:port]/path, or https",
            shown(text)
        ))
    })?;
    let scheme = match url.scheme() {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => {
            let other = shown(other);
            return Err(refuse(format!("scheme {other:?}; allowed: http, https")));
        }
    };
    let port = url.port_or_known_default().filter(|port| *port != 0);
    let port = port.ok_or_else(|| refuse("port 0; allowed: 1 to 65535"))?;
    let host = url.host().ok_or_else(|| refuse("a URL without a host"))?;
    let addrs = addresses(&host, port);
    let name = match host {
        Host::Domain(name) if addrs.is_empty() => Some(name_of(name)?),
        _ => None,
    };
    let server_name = match scheme {
        Scheme::Http => None,
        Scheme::Https => Some(server_name(&host)),
    };
    let host = url.host_str().unwrap_or_default();
    let authority = match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    };
    let path = &url[Position::BeforePath..Position::AfterQuery];
    let clean = format!("{}://{authority}{path}", scheme.as_str());
    if !clean.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(refuse("a URL that is not ASCII once it is parsed"));
    }
    let origin = Origin {
        scheme,
        host: host.into(),
        port,
    };
    Ok(Target {
        lane: lane(origin.to_string().as_bytes()),
        origin,
        addrs,
        name,
        server_name,
        path: path.into(),
        authority: authority.into(),
        authorization: authorization(&url)?,
        url: clean.into(),
    })
}

/// The target that was kept as these two texts, byte for byte; `None` if they are damaged.
#[must_use]
pub fn kept(url: &str, authorization: Option<&str>) -> Option<Target> {
    let (_, after) = url.split_once("://")?;
    let (front, path) = url.split_at(url.len() - after.len() + after.find('/')?);
    // Only the front is parsed: of a callback the rest goes out as its owner wrote it.
    let mut target = parse(&format!("{front}/")).ok()?;
    target.path = path.into();
    target.url = url.into();
    target.authorization = authorization.map(Into::into);
    Some(target)
}

/// The hash of a lane's name. It is kept in stores, so it is the same everywhere and for ever; and
/// nobody can find a name that shares somebody else's lane.
#[must_use]
pub fn lane(name: &[u8]) -> u64 {
    let digest = ring::digest::digest(&ring::digest::SHA256, name);
    digest
        .as_ref()
        .first_chunk()
        .map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

fn refuse(detail: impl Into<Cow<'static, str>>) -> Problem {
    Problem::new(Reason::BadTarget, detail)
}

/// The start of `text` for an answer, without what may be userinfo.
fn shown(text: &str) -> String {
    let after = text
        .rfind('@')
        .map_or(text, |at| text.get(at..).unwrap_or_default());
    let hidden = if after.len() < text.len() { "…" } else { "" };
    let cut = after
        .char_indices()
        .nth(80)
        .map_or(after, |(end, _)| &after[..end]);
    let more = if cut.len() < after.len() { "…" } else { "" };
    format!("{hidden}{cut}{more}")
}

/// A literal address is itself, `localhost` and what ends in it is this machine without asking
/// anybody (RFC 6761 section 6.3). Any other name has to be looked up.
fn addresses(host: &Host<&str>, port: u16) -> Box<[SocketAddr]> {
    let at = |address: IpAddr| SocketAddr::new(address, port);
    match host {
        Host::Ipv4(address) => [at(IpAddr::V4(*address))].into(),
        Host::Ipv6(address) => [at(IpAddr::V6(*address))].into(),
        Host::Domain(name) if is_localhost(name) => [
            at(Ipv4Addr::LOCALHOST.into()),
            at(Ipv6Addr::LOCALHOST.into()),
        ]
        .into(),
        Host::Domain(_) => [].into(),
    }
}

fn name_of(host: &str) -> Result<Box<str>, Problem> {
    if host::is_name(host) {
        return Ok(host.into());
    }
    Err(refuse(format!(
        "host {:?} is no name that can be looked up; allowed: labels of 1 to 63 letters, digits, \
         hyphens and underscores, 253 bytes in all",
        shown(host)
    )))
}

/// What a certificate must be for: an address, or the name without its root's dot, which
/// certificates and server name indication leave out (RFC 6066 section 3).
fn server_name(host: &Host<&str>) -> Arc<str> {
    match host {
        Host::Ipv4(address) => address.to_string().into(),
        Host::Ipv6(address) => address.to_string().into(),
        Host::Domain(name) => name.strip_suffix('.').unwrap_or(name).into(),
    }
}

fn is_localhost(name: &str) -> bool {
    let mut labels = name.strip_suffix('.').unwrap_or(name).rsplit('.');
    labels.next() == Some("localhost") && labels.all(|label| !label.is_empty())
}

/// Basic credentials (RFC 7617) of the URL's userinfo.
fn authorization(url: &Url) -> Result<Option<Box<str>>, Problem> {
    if url.username().is_empty() && url.password().is_none() {
        return Ok(None);
    }
    let mut credentials = Vec::new();
    form::unescape_into(url.username().as_bytes(), &mut credentials);
    if credentials.contains(&b':') {
        return Err(refuse(
            "a user name with a colon, which Basic authorization cannot carry",
        ));
    }
    credentials.push(b':');
    form::unescape_into(
        url.password().unwrap_or_default().as_bytes(),
        &mut credentials,
    );
    let mut value = String::from("Basic ");
    STANDARD.encode_string(&credentials, &mut value);
    Ok(Some(value.into()))
}

#[cfg(test)]
mod tests;
