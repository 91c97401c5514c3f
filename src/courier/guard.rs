//! Which addresses may be called: the decision on the very address that is about to be connected
//! to. It resolves nothing and never looks at a URL's text.
//!
//! ```
//! use hookah::courier::guard::{Policy, Preset};
//!
//! let mut policy = Policy { preset: Preset::Public, ..Policy::default() };
//! let metadata = "169.254.169.254:80".parse().unwrap();
//! let refused = policy.judge(metadata, "169.254.169.254", false).unwrap_err();
//! assert_eq!(refused.class, "cloud metadata");
//! assert_eq!(refused.flag, "--allow-target 169.254.169.254:80");
//! assert!(policy.judge("1.1.1.1:443".parse().unwrap(), "one.one", false).is_ok());
//! ```

use std::fmt;
use std::net::{IpAddr, SocketAddr};

mod classes;

pub use classes::{Class, Row, class, unmapped};

/// Which classes may be called when no rule says otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Preset {
    /// The open internet alone, and not its ports of other services.
    Public,
    /// This machine and its own networks too.
    #[default]
    Local,
}

/// What may be called. A `deny` rule wins over `allow`, and both over the preset.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Without a rule.
    pub preset: Preset,
    /// `allow-target`.
    pub allow: Vec<Rule>,
    /// `deny-target`.
    pub deny: Vec<Rule>,
    /// Where we listen ourselves: a call to it would be a loop.
    pub own: Vec<SocketAddr>,
}

/// Addresses or a host name, and a port if only that one is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    place: Place,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Range(IpAddr, u8),
    /// Lower case, without a last dot.
    Host(Box<str>),
}

/// What a rule looks like, in words.
pub const RULE_FORM: &str =
    "ADDRESS, NETWORK/BITS or HOST, with :PORT for one port only; IPv6 with a port in brackets";

/// Why an address may not be called, and what would allow it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forbidden {
    /// The class of the address or port, in words.
    pub class: &'static str,
    /// The same as the word of an attempt's `detail`.
    pub detail: &'static str,
    /// What to type to allow it.
    pub flag: String,
    addr: SocketAddr,
}

impl fmt::Display for Forbidden {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Forbidden {
            class, flag, addr, ..
        } = self;
        write!(out, "{addr} is forbidden ({class}); to allow it: {flag}")
    }
}

/// Ports of services that take an HTTP request for commands: those of the Fetch standard, Redis,
/// memcached, Docker and Elasticsearch. In order.
const BAD_PORTS: &[u16] = &[
    1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102,
    103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465,
    512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993,
    995, 1719, 1720, 1723, 2049, 2375, 3659, 4045, 4190, 5060, 5061, 6000, 6379, 6566, 6665, 6666,
    6667, 6668, 6669, 6679, 6697, 9200, 10080, 11211,
];

impl Policy {
    /// Whether `addr`, which `host` led to, may be called. `strict` judges as if the preset were
    /// public; a looser one does not exist.
    ///
    /// # Errors
    /// The class that is closed, and the flag that would open it.
    pub fn judge(&self, addr: SocketAddr, host: &str, strict: bool) -> Result<(), Forbidden> {
        let found = class(addr.ip());
        if let Some(rule) = self.deny.iter().find(|rule| rule.meets(addr, host)) {
            let flag = format!("leave out --deny-target {rule}");
            return Err(refuse(addr, "denied", "blocked_target_denied", flag));
        }
        let mut allowed = self.allow.iter().filter(|rule| rule.meets(addr, host));
        let (mut by_host, mut by_range) = (false, false);
        for rule in &mut allowed {
            by_range |= matches!(rule.place, Place::Range(..));
            by_host |= matches!(rule.place, Place::Host(_));
        }
        let own = self.is_own(addr);
        if own && !self.names_exactly(addr) {
            let flag = exact(addr);
            return Err(refuse(addr, "own listener", "blocked_target_own", flag));
        }
        let public = strict || self.preset == Preset::Public;
        match found {
            _ if by_range => Ok(()),
            Class::Blocked(row) => Err(refuse(addr, row.name, row.detail, exact(addr))),
            _ if by_host => Ok(()),
            Class::Local(row) if public => {
                let flag = match self.preset {
                    Preset::Public => format!("--targets local, or {}", exact(addr)),
                    Preset::Local => format!("leave out targets=public, or {}", exact(addr)),
                };
                Err(refuse(addr, row.name, row.detail, flag))
            }
            _ if public && BAD_PORTS.binary_search(&addr.port()).is_ok() => {
                let flag = exact(addr);
                Err(refuse(addr, "bad port", "blocked_target_port", flag))
            }
            Class::Public | Class::Local(_) => Ok(()),
        }
    }

    /// Whether any of `addrs` may be called; with none, because a name is not resolved yet, whether
    /// host and port alone forbid it.
    ///
    /// # Errors
    /// Why the first of them may not.
    pub fn judge_all(
        &self,
        addrs: &[SocketAddr],
        host: &str,
        port: u16,
        strict: bool,
    ) -> Result<(), Forbidden> {
        /// One address of the open internet: it is forbidden only for its host or its port.
        const ANY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(1, 1, 1, 1));
        let any = [SocketAddr::new(ANY, port)];
        let mut verdicts = match addrs {
            [] => any.iter(),
            addrs => addrs.iter(),
        }
        .map(|addr| self.judge(*addr, host, strict));
        let first = verdicts.next().unwrap_or(Ok(()));
        if first.is_ok() || verdicts.any(|verdict| verdict.is_ok()) {
            return Ok(());
        }
        first
    }

    /// A listener on all addresses is reached at any of this machine's; of those we know loopback
    /// and the ones that the shell has listed.
    fn is_own(&self, addr: SocketAddr) -> bool {
        let ip = unmapped(addr.ip());
        self.own.iter().any(|own| {
            let bound = unmapped(own.ip());
            let everywhere = bound.is_unspecified() && (ip.is_loopback() || ip.is_unspecified());
            // The kernel takes a connection to the unspecified address for one to loopback.
            let nowhere = ip.is_unspecified() && bound.is_loopback();
            own.port() == addr.port() && (bound == ip || everywhere || nowhere)
        })
    }

    /// Whether a rule names this one address and port: nobody does so by mistake.
    fn names_exactly(&self, addr: SocketAddr) -> bool {
        self.allow.iter().any(|rule| {
            let whole = match rule.place {
                Place::Range(first, bits) => bits == width(first),
                Place::Host(_) => false,
            };
            whole && rule.port.is_some() && rule.meets(addr, "")
        })
    }
}

fn refuse(addr: SocketAddr, class: &'static str, detail: &'static str, flag: String) -> Forbidden {
    Forbidden {
        class,
        detail,
        flag,
        addr,
    }
}

/// The flag that allows this address and port and nothing else.
fn exact(addr: SocketAddr) -> String {
    format!("--allow-target {addr}")
}

const fn width(ip: IpAddr) -> u8 {
    match ip {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

impl Rule {
    /// Reads a rule; see [`RULE_FORM`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Rule> {
        if let Some(place) = range(text) {
            return Some(Rule { place, port: None });
        }
        let (place, port) = match text.rsplit_once(':') {
            Some((place, port)) => (place, Some(decimal(port)?)),
            None => (text, None),
        };
        let bare = place.strip_prefix('[').map_or(Some(place), |rest| {
            let (inside, after) = rest.split_once(']')?;
            after.is_empty().then_some(inside)
        })?;
        let bracketed = bare.len() < place.len();
        let place = match range(bare) {
            Some(range) if bare.contains(':') == bracketed => range,
            Some(_) => return None,
            None if bracketed => return None,
            None => Place::Host(host(bare)?),
        };
        Some(Rule { place, port })
    }

    fn meets(&self, addr: SocketAddr, host: &str) -> bool {
        let here = match &self.place {
            Place::Range(first, bits) => {
                let ip = addr.ip();
                let found = classes::holds(*first, *bits, ip);
                found || classes::holds(*first, *bits, unmapped(ip))
            }
            Place::Host(name) => {
                let host = host.strip_suffix('.').unwrap_or(host);
                host.eq_ignore_ascii_case(name)
            }
        };
        here && self.port.is_none_or(|port| port == addr.port())
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let brackets = self.port.is_some();
        match &self.place {
            Place::Host(name) => out.write_str(name)?,
            Place::Range(first, bits) => {
                let whole = *bits == width(*first);
                let text = if whole {
                    first.to_string()
                } else {
                    format!("{first}/{bits}")
                };
                match first {
                    IpAddr::V6(_) if brackets => write!(out, "[{text}]")?,
                    _ => out.write_str(&text)?,
                }
            }
        }
        self.port.map_or(Ok(()), |port| write!(out, ":{port}"))
    }
}

/// An address or a network. Mapped ones become what they stand for, as do the addresses they are
/// held against.
fn range(text: &str) -> Option<Place> {
    let (ip, bits) = match text.split_once('/') {
        Some((ip, bits)) => (ip, Some(decimal(bits)?)),
        None => (text, None),
    };
    let ip: IpAddr = ip.parse().ok()?;
    let bits = match bits {
        Some(bits) => u8::try_from(bits).ok().filter(|bits| *bits <= width(ip))?,
        None => width(ip),
    };
    match unmapped(ip) {
        mapped if mapped == ip => Some(Place::Range(ip, bits)),
        mapped => Some(Place::Range(mapped, bits.checked_sub(96)?)),
    }
}

/// A host name as URLs have it. What begins with a digit would be an address with a mistake.
fn host(text: &str) -> Option<Box<str>> {
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let hyphen = |label: &str| label.starts_with('-') || label.ends_with('-');
    let label = |label: &str| !label.is_empty() && !hyphen(label) && label.bytes().all(plain);
    let numeric = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
    let last = name.rsplit('.').next().unwrap_or_default();
    (name.split('.').all(label) && !numeric(last)).then(|| name.into())
}

/// A number without sign or white space.
fn decimal(text: &str) -> Option<u16> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests;
