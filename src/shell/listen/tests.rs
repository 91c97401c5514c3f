//! Accepting over loopback sockets, with descriptors running out in word only.

use super::*;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream as Client};

use mio::{Events, Poll};

use crate::shell::gate::Scheme;

const FIRST: Token = Token(1000);
const TERMS: Terms = Terms {
    silence: std::time::Duration::from_secs(60),
    has_certificate: false,
    send_buffer: 64 << 10,
    receive_buffer: None,
};

fn bind(count: usize) -> (Poll, Listeners) {
    let poll = Poll::new().unwrap();
    let any = Listen::Tcp("127.0.0.1:0".parse().unwrap(), Scheme::Either);
    let listeners =
        Listeners::bind(poll.registry(), FIRST, vec![], &vec![any; count], TERMS).unwrap();
    (poll, listeners)
}

fn addrs(listeners: &Listeners) -> impl Iterator<Item = SocketAddr> {
    listeners.places().filter_map(|place| place.addr())
}

/// Waits until the poll has reported `count` of the listeners.
fn await_edges(poll: &mut Poll, listeners: &mut Listeners, count: usize) {
    let mut events = Events::with_capacity(8);
    while listeners
        .list
        .iter()
        .filter(|listener| listener.ready)
        .count()
        < count
    {
        poll.poll(&mut events, None).unwrap();
        for event in &events {
            assert!(listeners.note(event.token()));
        }
    }
}

#[test]
fn a_turn_takes_its_share_from_every_listener_in_turn() {
    let (mut poll, mut listeners) = bind(2);
    let addrs: Vec<SocketAddr> = addrs(&listeners).collect();
    let connect = |addr: &SocketAddr| Client::connect(addr).unwrap();
    let first: Vec<Client> = (0..70).map(|_| connect(&addrs[0])).collect();
    let second: Vec<Client> = (0..3).map(|_| connect(&addrs[1])).collect();
    await_edges(&mut poll, &mut listeners, 2);

    listeners.begin_turn(Mono(0));
    let mut ports = Vec::new();
    while let Some((Socket::Tcp(stream), _)) = listeners.accept(Mono(0)) {
        ports.push(stream.local_addr().unwrap().port());
    }
    let of_second = |ports: &[u16]| {
        ports
            .iter()
            .filter(|port| **port == addrs[1].port())
            .count()
    };
    assert_eq!(of_second(&ports[..6]), 3, "they take turns");
    assert_eq!(
        ports.len(),
        63,
        "one of the 64 found the second listener empty"
    );
    assert!(listeners.has_ready());

    listeners.begin_turn(Mono(0));
    assert_eq!(std::iter::from_fn(|| listeners.accept(Mono(0))).count(), 10);
    assert!(!listeners.has_ready());
    drop((first, second));
}

#[test]
fn accepted_sockets_send_without_delay_and_hold_little() {
    let (mut poll, mut listeners) = bind(1);
    let addr = addrs(&listeners).next().unwrap();
    let client = Client::connect(addr).unwrap();
    await_edges(&mut poll, &mut listeners, 1);
    listeners.begin_turn(Mono(0));
    let Some((Socket::Tcp(stream), visitor)) = listeners.accept(Mono(0)) else {
        panic!("nobody, or not over TCP");
    };
    assert!(stream.nodelay().unwrap(), "inherited from the listener");
    let held = socket2::SockRef::from(&stream).send_buffer_size().unwrap();
    assert!(
        (64 << 10..=128 << 10).contains(&held),
        "{held}, inherited too"
    );
    assert_eq!(visitor.peer, client.local_addr().unwrap().ip());
    assert!(visitor.is_local());
}

#[test]
fn without_descriptors_who_waits_is_told_and_the_rest_is_tried_again() {
    let (mut poll, mut listeners) = bind(1);
    let addr = addrs(&listeners).next().unwrap();
    let exhausted = io::Error::from_raw_os_error(libc::EMFILE);
    let mut refused = Client::connect(addr).unwrap();
    refused.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    await_edges(&mut poll, &mut listeners, 1);
    listeners.begin_turn(Mono(0));
    listeners.failed(0, Mono(0), &exhausted);
    let mut answer = String::new();
    refused.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(
        head.contains(&format!("Content-Length: {}\r\n", body.len())),
        "{head}"
    );
    assert!(listeners.has_ready() && listeners.spare.is_some());

    listeners.failed(0, Mono(0), &exhausted);
    assert!(!listeners.has_ready(), "nobody waits any more");
    assert_eq!(
        listeners.retry_at(),
        None,
        "so nothing is to be tried again"
    );

    let waiting = Client::connect(addr).unwrap();
    await_edges(&mut poll, &mut listeners, 1);
    listeners.left = 0;
    listeners.failed(0, Mono(5), &exhausted);
    assert!(!listeners.has_ready(), "the turn's share is used up");
    assert_eq!(listeners.retry_at(), Some(Mono(5) + RETRY));
    listeners.begin_turn(Mono(6));
    assert!(!listeners.has_ready(), "too early");
    listeners.begin_turn(Mono(5) + RETRY);
    assert!(listeners.has_ready(), "without an edge");
    assert_eq!(listeners.shed, Some(2));
    drop(waiting);
}

#[test]
fn unknown_trouble_rests_and_a_lost_connection_does_not() {
    let (poll, mut listeners) = bind(1);
    listeners.begin_turn(Mono(0));
    listeners.note(FIRST);
    listeners.failed(
        0,
        Mono(0),
        &io::Error::from_raw_os_error(libc::ECONNABORTED),
    );
    assert!(listeners.has_ready());
    listeners.failed(0, Mono(0), &io::Error::from_raw_os_error(libc::EINVAL));
    assert!(!listeners.has_ready());
    assert_eq!(listeners.retry_at(), Some(Mono(0) + RETRY));
    assert_eq!(listeners.take_errors(), 2);
    assert_eq!(listeners.take_errors(), 0);
    listeners.close(poll.registry());
    assert_eq!(listeners.retry_at(), None);
    assert!(listeners.accept(Mono(0)).is_none() && !listeners.note(FIRST));
}

#[test]
fn a_taken_port_is_an_error_that_names_it() {
    let (poll, listeners) = bind(1);
    let addr = addrs(&listeners).next().unwrap();
    let again = Listen::Tcp(addr, Scheme::Http);
    let taken = Listeners::bind(
        poll.registry(),
        FIRST,
        vec![],
        std::slice::from_ref(&again),
        TERMS,
    );
    let (at, why) = taken.unwrap_err();
    assert_eq!((at, why.kind()), (again, io::ErrorKind::AddrInUse));
}

#[test]
fn who_comes_after_another_bound_was_set_is_held_to_that() {
    let (mut poll, mut listeners) = bind(2);
    let places: Vec<SocketAddr> = addrs(&listeners).collect();
    let other = Duration::from_secs(7);
    let mut allowed = Vec::new();
    let mut clients = Vec::new();
    for turn in 0..2 {
        if turn == 1 {
            listeners.allow_silence(other);
        }
        clients.extend(places.iter().map(|at| Client::connect(at).unwrap()));
        await_edges(&mut poll, &mut listeners, 2);
        listeners.begin_turn(Mono(turn));
        while let Some((Socket::Tcp(stream), _)) = listeners.accept(Mono(turn)) {
            let seen = socket2::SockRef::from(&stream).tcp_user_timeout();
            allowed.push(seen.unwrap());
        }
    }
    let (before, after) = (Some(TERMS.silence), Some(other));
    assert_eq!(allowed, [before, before, after, after]);
}
