//! A server's name to its addresses, with the engine's own reader of hosts files, resolv.conf and
//! answers: a static binary has no name service. It blocks, and remembers nothing.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use super::call::Trouble;
use crate::base::rng::Rng;
use crate::courier::dns::conf::{Hosts, ResolvConf};
use crate::courier::dns::message::{self, Answer, Family};

/// How long a server is waited for where resolv.conf does not say.
const TIMEOUT: Duration = Duration::from_secs(2);
/// An answer at most: what nobody asked for more gets.
const ANSWER_BYTES_MAX: usize = 4_096;

/// Where a host may be, in the order to try: at least one place.
///
/// # Errors
/// There is none, or none is known by then.
pub(super) fn places(
    host: &str,
    port: u16,
    rng: &mut Rng,
    until: Instant,
) -> Result<Vec<SocketAddr>, Trouble> {
    let addrs = match host.parse() {
        Ok(addr) => vec![addr],
        Err(_) => addresses(host, rng, until)?,
    };
    let places = addrs.into_iter().map(|addr| SocketAddr::new(addr, port));
    Ok(places.collect())
}

fn addresses(host: &str, rng: &mut Rng, until: Instant) -> Result<Vec<IpAddr>, Trouble> {
    // A file that is not there is as good as an empty one.
    let text = |path| fs::read_to_string(path).unwrap_or_default();
    let found: Vec<IpAddr> = Hosts::parse(&text("/etc/hosts")).find(host).collect();
    if !found.is_empty() {
        return Ok(found);
    }
    if host == "localhost" {
        return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
    }
    let conf = ResolvConf::parse(&text("/etc/resolv.conf"));
    let mut why = "no name server is configured";
    for name in conf.candidates(host) {
        let mut found = Vec::new();
        for family in [Family::V4, Family::V6] {
            match ask(&conf, &name, family, rng, until) {
                Some(Answer::Addrs(addrs, _)) => found.extend(addrs),
                Some(Answer::Empty | Answer::NoName) => why = "there is no such host",
                Some(Answer::Truncated) => why = "it has too many addresses",
                Some(Answer::Failed(word)) => why = word,
                None => why = "no name server answers",
            }
        }
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Err(Trouble::Unreachable(format!("{host}: {why}")))
}

/// What the first server says that says anything.
fn ask(
    conf: &ResolvConf,
    name: &str,
    family: Family,
    rng: &mut Rng,
    until: Instant,
) -> Option<Answer> {
    let servers = conf.servers.iter().cycle();
    for server in servers.take(conf.servers.len() * conf.attempts.max(1) as usize) {
        let until = until.min(Instant::now() + conf.timeout.unwrap_or(TIMEOUT));
        let answer = ask_one(*server, name, family, rng, until);
        if answer.is_some() {
            return answer;
        }
    }
    None
}

fn ask_one(
    server: SocketAddr,
    name: &str,
    family: Family,
    rng: &mut Rng,
    until: Instant,
) -> Option<Answer> {
    let id = rng.u64() as u16;
    let question = message::question(id, name, family)?;
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(server).ok()?;
    socket.send(&question).ok()?;
    let mut buf = [0; ANSWER_BYTES_MAX];
    loop {
        let left = until.checked_duration_since(Instant::now());
        socket
            .set_read_timeout(Some(left.filter(|it| !it.is_zero())?))
            .ok()?;
        let count = socket.recv(&mut buf).ok()?;
        let answer = message::answer(buf.get(..count)?, id, name, family);
        if answer.is_some() {
            return answer;
        }
    }
}
