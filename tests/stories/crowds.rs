//! Clients that are slow, or many, or do not read: the others do not notice.

use std::io::{ErrorKind, Write};
use std::thread;
use std::time::Duration;

use crate::client::Client;
use crate::server::Server;
use crate::target::{CLOSING, Target};
use crate::{form, metric, metric_until, schedule, settled};

/// Sockets of the crowd.
const CROWD: usize = 1_000;
/// Unsent bytes of answers at which a client is read no further, and room for the one answer that
/// may pass it.
const UNSENT_BYTES_MAX: u64 = (64 << 10) + 1_024;

#[test]
fn a_client_that_is_not_done_disturbs_nobody() {
    let (server, target) = (Server::start(), Target::willing());
    let request = form(&format!("_url={}&slow=1", target.url("/")));
    let (first, last) = request.split_at(40);
    let mut slow = Client::connect(server.addr());
    slow.send(first);
    for _ in 0..10 {
        schedule(&server, &target.url("/"), "&a=1");
        assert_eq!(target.arrival().text(), "a=1");
    }
    assert_eq!(slow.send(last).answer().status, 202);
    assert_eq!(target.arrival().text(), "slow=1");
}

#[test]
fn in_a_crowd_of_trickling_clients_a_webhook_is_taken_and_delivered() {
    hookah::shell::raise_descriptors();
    let (server, target) = (Server::start(), Target::willing());
    let request = form(&format!("_url={}&a=1", target.url("/")));
    let mut crowd: Vec<Client> = (0..CROWD).map(|_| Client::connect(server.addr())).collect();
    for byte in &request[..20] {
        for client in &mut crowd {
            client.send([*byte]);
        }
        schedule(&server, &target.url("/"), "&b=1");
        assert_eq!(target.arrival().text(), "b=1");
    }
    // They were slow, not wrong: each gets what it came for.
    for client in &mut crowd {
        client.send(&request[20..]);
    }
    for client in &mut crowd {
        assert_eq!(client.answer().status, 202);
        assert_eq!(target.arrival().text(), "a=1");
    }
}

#[test]
fn clients_that_come_and_go_leave_nothing_behind() {
    let (server, target) = (Server::start(), Target::new(|_| CLOSING.into()));
    let request = form(&format!("_url={}&a=1", target.url("/")));
    for turn in 0..300 {
        let mut client = Client::connect(server.addr());
        // Nothing, a part, all but the reading of the answer, with a FIN or a reset.
        client.try_send(&request[..request.len() * (turn % 3) / 2]);
        if turn % 2 == 0 {
            let socket = socket2::SockRef::from(&client.wire.stream);
            socket.set_linger(Some(Duration::ZERO)).expect("it can");
        }
    }
    metric_until(&server, "hookah_lines_inbound", |count| count == 1);
    settled(&server);
    let accepted = metric(&server, "hookah_messages_accepted_total");
    // A reset may overtake its request, a FIN may not.
    assert!((50..=100).contains(&accepted), "{accepted}");
    assert_eq!(
        metric(&server, "hookah_deliveries_delivered_total"),
        accepted
    );
    metric_until(&server, "hookah_lines_outbound", |count| count == 0);
    assert_eq!(metric(&server, "hookah_bytes_held"), 0);
}

#[test]
fn a_client_that_asks_for_ever_and_never_reads_is_paused_until_it_does() {
    let (server, target) = (Server::start(), Target::willing());
    let mut others = Client::connect(server.addr());
    let ask = b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n";
    let size = others.send(ask).answer().size as u64;
    let mut greedy = Client::connect(server.addr());
    let stream = &mut greedy.wire.stream;
    stream.set_nonblocking(true).expect("it can");
    // It is paused once a hundred answers to others have not made room for one byte more.
    let (mut sent, mut refused, mut asked) = (0, 0, 1);
    while refused < 100 {
        match stream.write(&ask[sent % ask.len()..]) {
            Ok(count) => (sent, refused) = (sent + count, 0),
            Err(why) => {
                assert_eq!(why.kind(), ErrorKind::WouldBlock);
                (refused, asked) = (refused + 1, asked + 1);
                assert_eq!(others.send(ask).answer().size as u64, size);
            }
        }
    }
    // The request for the metrics is counted, its answer is not yet.
    let requests = metric(&server, "hookah_requests_total") - 1;
    let metrics = Metrics::read(&server);
    let taken = requests - asked;
    assert!(taken < (sent / ask.len()) as u64, "it was never paused");
    let unsent = requests * size + metrics.size - metrics.bytes_out;
    assert!(
        unsent <= UNSENT_BYTES_MAX,
        "{unsent} bytes of answers are kept for it"
    );
    schedule(&server, &target.url("/"), "&a=1");
    target.arrival();

    stream.set_nonblocking(false).expect("it can");
    let mut writer = stream.try_clone().expect("a second handle");
    let rest = &ask[sent % ask.len()..];
    let writing = thread::spawn(move || {
        writer.write_all(rest).expect("there is room again");
        writer
            .shutdown(std::net::Shutdown::Write)
            .expect("it is connected");
    });
    let answers = greedy.wire.rest().len() as u64;
    writing.join().expect("it was sent");
    let requests = ((sent + rest.len()) / ask.len()) as u64;
    assert_eq!(answers, requests * size);
}

/// The bytes that the server has sent, and how long its answer about the requests was.
struct Metrics {
    size: u64,
    bytes_out: u64,
}

impl Metrics {
    fn read(server: &Server) -> Metrics {
        let before = metric(server, "hookah_bytes_out_total");
        let after = metric(server, "hookah_bytes_out_total");
        // Two answers alike, but for their numbers' digits.
        let size = after - before;
        let bytes_out = before;
        Metrics { size, bytes_out }
    }
}
