//! The texts of `/etc/hosts` and `/etc/resolv.conf` (hosts(5), resolv.conf(5)), read leniently: a
//! line that makes no sense is passed over. It opens no file.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};
use std::time::Duration;

use crate::http::host;

/// Name servers that are asked, as in every C library.
const SERVERS_MAX: usize = 3;
/// Domains that are searched.
const SEARCH_MAX: usize = 6;
/// Where servers listen.
const PORT: u16 = 53;

/// Names and their addresses.
#[derive(Clone, Debug, Default)]
pub struct Hosts {
    /// Sorted by name; those of one name in the order of the file.
    rows: Vec<(Box<str>, IpAddr)>,
}

impl Hosts {
    /// Reads the text of a hosts file.
    #[must_use]
    pub fn parse(text: &str) -> Hosts {
        let mut rows = Vec::new();
        for line in text.lines() {
            let mut words = words(line, &['#']);
            let Some(Ok(address)) = words.next().map(str::parse::<IpAddr>) else {
                continue;
            };
            rows.extend(words.filter_map(|name| Some((plain_name(name)?, address))));
        }
        rows.sort_by(|(one, _), (other, _)| one.cmp(other));
        Hosts { rows }
    }

    /// The addresses of a name in lower case; a dot at its end does not matter.
    pub fn find(&self, name: &str) -> impl Iterator<Item = IpAddr> {
        let name = name.strip_suffix('.').unwrap_or(name);
        let first = self.rows.partition_point(|(row, _)| &**row < name);
        let rows = self.rows.get(first..).unwrap_or_default().iter();
        rows.take_while(move |(row, _)| **row == *name)
            .map(|(_, address)| *address)
    }
}

/// How to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvConf {
    /// Who is asked, in this order; never empty.
    pub servers: Vec<SocketAddr>,
    /// Domains that a name may be meant to end in.
    pub search: Vec<Box<str>>,
    /// With as many dots a name is tried as it is before any domain is added.
    pub ndots: usize,
    /// Rounds over the servers.
    pub attempts: u32,
    /// One server's time to answer, if it was given.
    pub timeout: Option<Duration>,
}

impl Default for ResolvConf {
    /// What holds without a file: the server on this machine.
    fn default() -> ResolvConf {
        ResolvConf {
            servers: vec![SocketAddr::new(Ipv4Addr::LOCALHOST.into(), PORT)],
            search: Vec::new(),
            ndots: 1,
            attempts: 2,
            timeout: None,
        }
    }
}

impl ResolvConf {
    /// Reads the text of a resolv.conf.
    #[must_use]
    pub fn parse(text: &str) -> ResolvConf {
        let mut conf = ResolvConf::default();
        let mut servers = Vec::new();
        for line in text.lines() {
            let mut words = words(line, &['#', ';']);
            match words.next() {
                Some("nameserver") => servers.extend(words.next().and_then(server)),
                // The last of either kind holds.
                Some("search") => {
                    conf.search = words.filter_map(plain_name).take(SEARCH_MAX).collect();
                }
                Some("domain") => conf.search = words.filter_map(plain_name).take(1).collect(),
                Some("options") => words.for_each(|word| conf.option(word)),
                _ => {}
            }
        }
        servers.truncate(SERVERS_MAX);
        if !servers.is_empty() {
            conf.servers = servers;
        }
        conf
    }

    fn option(&mut self, word: &str) {
        let Some((key, value)) = word.split_once(':') else {
            return;
        };
        let Ok(value) = value.parse::<u32>() else {
            return;
        };
        match key {
            "ndots" => self.ndots = value.min(15) as usize,
            "attempts" => self.attempts = value.clamp(1, 5),
            "timeout" => self.timeout = Some(Duration::from_secs(value.clamp(1, 30).into())),
            _ => {}
        }
    }

    /// The names that `name` may stand for, in the order to try; none of them ends in a dot.
    #[must_use]
    pub fn candidates(&self, name: &str) -> Vec<Box<str>> {
        if let Some(absolute) = name.strip_suffix('.') {
            return vec![absolute.into()];
        }
        let dots = name.bytes().filter(|byte| *byte == b'.').count();
        let longer = |domain: &str| format!("{name}.{domain}").into_boxed_str();
        let mut all: Vec<Box<str>> = self.search.iter().map(|domain| longer(domain)).collect();
        all.retain(|candidate| host::is_name(candidate));
        let place = if dots >= self.ndots { 0 } else { all.len() };
        all.insert(place, name.into());
        all
    }
}

/// The words of a line before its comment.
fn words<'t>(line: &'t str, marks: &[char]) -> impl Iterator<Item = &'t str> {
    let end = line.find(marks).unwrap_or(line.len());
    line.get(..end).unwrap_or_default().split_ascii_whitespace()
}

/// In lower case and without the dot at its end; `None` if it cannot be asked for.
fn plain_name(name: &str) -> Option<Box<str>> {
    let name = name.strip_suffix('.').unwrap_or(name);
    host::is_name(name).then(|| name.to_ascii_lowercase().into())
}

/// A server's address. The zone of a link-local one counts only as a number: names of interfaces
/// are the system's.
fn server(text: &str) -> Option<SocketAddr> {
    if let Some((address, zone)) = text.split_once('%') {
        let (address, zone) = (address.parse().ok()?, zone.parse().ok()?);
        return Some(SocketAddrV6::new(address, PORT, 0, zone).into());
    }
    Some(SocketAddr::new(text.parse().ok()?, PORT))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn hosts_files() {
        let hosts = Hosts::parse(
            "127.0.0.1\tlocalhost # the machine\n\
             \n# 10.0.0.9 commented\n  10.0.0.1   Hook.Test hook alias.test.\r\n\
             fd00::1 hook.test\n10.0.0.2 hook.test#glued\nfe80::1%lo0 scoped\n\
             nonsense hook.test\n10.0.0.3\n10.0.0.4 a..b -ok",
        );
        let rows: [(&str, &[&str]); 10] = [
            ("localhost", &["127.0.0.1"]),
            ("hook.test", &["10.0.0.1", "fd00::1", "10.0.0.2"]),
            ("hook.test.", &["10.0.0.1", "fd00::1", "10.0.0.2"]),
            ("hook", &["10.0.0.1"]),
            ("alias.test", &["10.0.0.1"]),
            ("-ok", &["10.0.0.4"]),
            ("commented", &[]),
            ("scoped", &[]),
            ("a..b", &[]),
            ("hook.test.more", &[]),
        ];
        for (name, expected) in rows {
            let found: Vec<String> = hosts.find(name).map(|at| at.to_string()).collect();
            assert_eq!(found, expected, "{name}");
        }
        assert_eq!(Hosts::parse("").find("localhost").count(), 0);
    }

    #[test]
    fn resolv_conf() {
        let conf = ResolvConf::parse(
            "# made by hand\n; or not\nnameserver 10.0.0.1 ; the first\nnameserver fd00::1\n\
             nameserver bad\nnameserver\nnameserver fe80::1%3\nnameserver 10.0.0.9\n\
             domain one.test\nsearch two.test Three.Test. a..b\nsortlist 1.2.3.4\n\
             options ndots:2 timeout:1 attempts:3 rotate edns0 ndots:x\n",
        );
        let expected = ResolvConf {
            servers: vec![at("10.0.0.1:53"), at("[fd00::1]:53"), at("[fe80::1%3]:53")],
            search: vec!["two.test".into(), "three.test".into()],
            ndots: 2,
            attempts: 3,
            timeout: Some(Duration::from_secs(1)),
        };
        assert_eq!(conf, expected);
        let conf = ResolvConf::parse("search a.test b.test\ndomain c.test\noptions attempts:99");
        assert_eq!(conf.search, ["c.test".into()]);
        assert_eq!((conf.attempts, conf.servers), (5, vec![at("127.0.0.1:53")]));
        let clamped = ResolvConf::parse("options ndots:99 attempts:0 timeout:0");
        assert_eq!((clamped.ndots, clamped.attempts), (15, 1));
        assert_eq!(clamped.timeout, Some(Duration::from_secs(1)));
        assert_eq!(ResolvConf::parse(""), ResolvConf::default());
    }

    #[test]
    fn what_a_name_may_stand_for() {
        let conf = ResolvConf::parse("search a.test b.test\noptions ndots:2");
        let rows: [(&str, &[&str]); 4] = [
            ("hook", &["hook.a.test", "hook.b.test", "hook"]),
            ("hook.x", &["hook.x.a.test", "hook.x.b.test", "hook.x"]),
            ("h.x.y", &["h.x.y", "h.x.y.a.test", "h.x.y.b.test"]),
            ("hook.", &["hook"]),
        ];
        for (name, expected) in rows {
            let names = conf.candidates(name);
            assert!(
                names
                    .iter()
                    .map(|name| &**name)
                    .eq(expected.iter().copied()),
                "{names:?}"
            );
        }
        let long = format!("{0}.{0}.{0}.{1}", "a".repeat(63), "a".repeat(58));
        assert_eq!(
            conf.candidates(&long),
            [long.clone().into()],
            "no room for a domain"
        );
    }
}
