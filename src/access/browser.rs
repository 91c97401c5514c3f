//! The guard against what web pages make browsers send. A page may have a browser post a form to
//! any address, this machine's too, or give its own name our address (DNS rebinding), and without
//! tokens nothing else would stop it. Scripts, curl and servers notice nothing of this.
//! It never asks who is at the other end: that a page may send says nothing of its rights.
//!
//! | what a page does | what gives it away | refused unless |
//! |---|---|---|
//! | calls us by a name of its own | Host, where only this machine connects | it is our name |
//! | changes something | Origin, Sec-Fetch-Site | it is our page, or listed |
//! | holds a stream's place | the same | it is our page, or listed, or `*` is |
//! | looks at something | nothing: the browser keeps the answer from it | |

use std::net::Ipv4Addr;
use std::sync::Arc;

use crate::http::host;
use crate::http::origin::Origins;
use crate::http::problem::{Problem, Reason};
use crate::http::request::Request;
use crate::model::{Door, Visitor};

/// Which pages and which names are not foreign.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Whose pages' scripts may read answers; those that are named may also send.
    pub origins: Origins,
    names: Vec<Box<str>>,
    public: Option<Public>,
}

/// Where the world finds us.
#[derive(Clone, Debug)]
struct Public {
    origin: Box<str>,
    host: Box<str>,
}

/// What a request does if it is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// It reads; its page gets nothing of the answer unless the answer says so.
    Look,
    /// It reads, and has a place for as long as it likes.
    Hold,
    /// It changes something.
    Change,
}

/// What makes a request foreign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreign<'b> {
    /// It is meant for a host that we are not.
    Host(&'b str),
    /// A page of that origin sent it.
    Origin(&'b [u8]),
    /// The browser says that another site's page sent it, and of which origin that is it does not
    /// say, or says something else.
    Site(&'b [u8]),
}

/// What a `--host-name` looks like, for people.
pub const NAME_FORM: &str =
    "a host name without scheme and port (app.example); addresses need no word";

impl Settings {
    /// Adds a name by which people call us. False if it is none, as what ends in a number: that is
    /// an address to a browser (URL standard, section 3.5), and addresses need no word.
    pub fn add_name(&mut self, text: &str) -> bool {
        let name = without_dot(text);
        let last = name.rsplit('.').next().unwrap_or_default();
        let is_number = last.bytes().all(|byte| byte.is_ascii_digit());
        let is_name = host::is_name(name) && !name.starts_with('-') && !is_number;
        if is_name {
            self.names.push(name.into());
        }
        is_name
    }

    /// Our public address, as an URL in its usual spelling: lower case, no port that goes without
    /// saying.
    pub fn set_public(&mut self, url: &str) {
        let origin = url.find("://").map(|at| {
            let end = url.get(at + 3..).and_then(|rest| rest.find('/'));
            url.get(..end.map_or(url.len(), |end| at + 3 + end))
        });
        self.public = origin.flatten().and_then(|origin| {
            let (_, authority) = origin.split_once("://")?;
            let host = name_of(authority).into();
            let origin = origin.into();
            Some(Public { origin, host })
        });
    }

    /// What the answer to a request tells its browser: the origin whose scripts may read it, `*`,
    /// or nothing. A request that names several origins is no browser's.
    #[must_use]
    pub fn shares(&self, request: &Request<'_>) -> Option<Arc<str>> {
        let mut origins = request.fields("origin");
        let origin = origins.next().filter(|_| origins.next().is_none());
        self.origins.allowed(origin)
    }

    /// Whether the host that a request is meant for may be us. It is looked at where only this
    /// machine can connect: there a name that is not ours is a page's own, which has been given our
    /// address. HTTP/1.0 needs no Host, and no browser speaks it.
    ///
    /// # Errors
    /// The host.
    pub fn check_host<'b>(
        &self,
        request: &Request<'b>,
        visitor: Visitor,
    ) -> Result<(), Foreign<'b>> {
        match visitor.door != Door::Loopback || self.is_ours(request.host) {
            true => Ok(()),
            false => Err(Foreign::Host(request.host)),
        }
    }

    /// Whether a page that sent a request may do that. `tokens` says whether one has to have one
    /// to do anything here.
    ///
    /// # Errors
    /// What gives the page away.
    pub fn check_page<'b>(
        &self,
        request: &Request<'b>,
        visitor: Visitor,
        deed: Deed,
        tokens: bool,
    ) -> Result<(), Foreign<'b>> {
        if !request.of_page || deed == Deed::Look || self.opens_to_all(request, deed, tokens) {
            return Ok(());
        }
        let mut listed = None;
        for origin in request.fields("origin") {
            let is_listed = self.origins.lists(origin);
            if !is_listed && !self.is_own(origin, request, visitor) {
                return Err(Foreign::Origin(origin));
            }
            listed = Some(listed.unwrap_or(true) && is_listed);
        }
        // The page of a listed origin is another site's, and that is as it should be.
        if listed == Some(true) {
            return Ok(());
        }
        let mut sites = request.fields("sec-fetch-site");
        match sites.find(|site| !matches!(*site, b"none" | b"same-origin")) {
            Some(site) => Err(Foreign::Site(site)),
            None => Ok(()),
        }
    }

    /// Whether an origin may send such a request at all, by the method that its browser asks for
    /// beforehand; what else there is to say is said of the request itself.
    #[must_use]
    pub fn invites(&self, origin: &[u8], deed: Deed, tokens: bool) -> bool {
        self.origins.lists(origin) || self.origins.are_all() && (deed != Deed::Change || tokens)
    }

    /// Whether the page is one of ours.
    #[must_use]
    pub fn is_own(&self, origin: &[u8], request: &Request<'_>, visitor: Visitor) -> bool {
        let public = self.public.as_ref().map(|public| public.origin.as_bytes());
        let (scheme, usual) = match visitor.secure {
            true => ("https://", ":443"),
            false => ("http://", ":80"),
        };
        // A browser leaves out the port that goes without saying, and others may not.
        let host = request.host.strip_suffix(usual).unwrap_or(request.host);
        let own = origin.strip_prefix(scheme.as_bytes());
        let own = own.is_some_and(|it| !it.is_empty() && it.eq_ignore_ascii_case(host.as_bytes()));
        own || public == Some(origin)
    }

    /// `*` opens what is read. It does not let every page change something, unless the request has
    /// a token in a field that only a script which knows it can have set: Basic credentials are the
    /// browser's own to send, and where there are no tokens any word would do.
    fn opens_to_all(&self, request: &Request<'_>, deed: Deed, tokens: bool) -> bool {
        let proven = || tokens && has_bearer(request);
        self.origins.are_all() && (deed != Deed::Change || proven())
    }

    /// Addresses are nobody's name; `localhost` is the browser's own (RFC 6761 section 6.3).
    fn is_ours(&self, host: &str) -> bool {
        if host.is_empty() || host.starts_with('[') {
            return true;
        }
        let name = without_dot(name_of(host));
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        let is_address = || name.parse::<Ipv4Addr>().is_ok();
        let public = || self.public.as_ref().is_some_and(|public| is(&public.host));
        is_localhost(name) || is_address() || public() || self.names.iter().any(|known| is(known))
    }
}

impl Foreign<'_> {
    /// The refusal: what is foreign, and what would open it.
    #[must_use]
    pub fn problem(self) -> Problem {
        let (reason, name, value, complaint, allowed) = match self {
            Foreign::Host(host) => (
                Reason::ForeignHost,
                "Host",
                host.as_bytes(),
                "is not this server",
                "an IP address, localhost, the host of --public-url, or a --host-name",
            ),
            Foreign::Origin(origin) => (
                Reason::ForeignOrigin,
                "Origin",
                origin,
                "is another site",
                "our own, that of --public-url, or a --cors-origin (* is for reading alone, unless \
                 there are tokens)",
            ),
            Foreign::Site(site) => (
                Reason::ForeignOrigin,
                "Sec-Fetch-Site",
                site,
                "is another site's page",
                "same-origin, none, or an Origin that is a --cors-origin",
            ),
        };
        Problem::of_value(reason, name, value, complaint, allowed)
    }
}

fn is_localhost(name: &str) -> bool {
    const LOCALHOST: &[u8] = b"localhost";
    let bytes = name.as_bytes();
    let Some(at) = bytes.len().checked_sub(LOCALHOST.len()) else {
        return false;
    };
    let (before, last) = bytes.split_at(at);
    last.eq_ignore_ascii_case(LOCALHOST)
        && !matches!(before, [.., b'.', b'.'] | [b'.'])
        && (before.is_empty() || before.ends_with(b"."))
}

/// A host without its port.
fn name_of(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => name,
        _ => host,
    }
}

fn without_dot(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

fn has_bearer(request: &Request<'_>) -> bool {
    let begins = |value: &[u8]| {
        let scheme = value.get(..7);
        value.len() > 7 && scheme.is_some_and(|it| it.eq_ignore_ascii_case(b"bearer "))
    };
    request.field("authorization").is_some_and(begins)
}

#[cfg(test)]
mod tests;
