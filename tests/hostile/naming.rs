//! Name servers that fail, lie, loop or are silent: the word of each, that whoever has an address
//! of its own is called meanwhile, and that only what was asked for is believed.

use std::net::{Ipv4Addr, UdpSocket};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use super::{ended, schedule};
use crate::names::{NameServer, Question, Say, record};
use crate::server::Server;
use crate::target::Target;

const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;
const THERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 99);
const A: u8 = 1;
const CNAME: u8 = 5;
const AAAA: u8 = 28;

/// What a name server does, and what becomes of a webhook: the detail of its failure, or `None` if
/// it arrives.
type Row = (&'static str, fn(&Question) -> Say, Option<&'static str>);

const ROWS: &[Row] = &[
    ("no such name", |_| Say::Code(3), Some("nxdomain")),
    ("it cannot say", |_| Say::Code(2), Some("servfail")),
    (
        "it does not want to",
        |_| Say::Code(5),
        Some("refused_name"),
    ),
    (
        "it does not understand",
        |_| Say::Code(1),
        Some("bad_answer"),
    ),
    (
        "no addresses",
        |it| Say::Raw(vec![it.reply(0, 0, &[])]),
        Some("no_address"),
    ),
    ("silence", |_| Say::Raw(vec![]), Some("dns_timeout")),
    ("a wrong id", |it| altered(it, 0), Some("dns_timeout")),
    (
        "a wrong question",
        |it| altered(it, 13),
        Some("dns_timeout"),
    ),
    (
        "a question of another type",
        |it| altered(it, it.packet.len() - 3),
        Some("dns_timeout"),
    ),
    ("another port", from_elsewhere, Some("dns_timeout")),
    (
        "garbage",
        |_| Say::Raw(vec![vec![0xff; 40], vec![], vec![0; 512]]),
        Some("dns_timeout"),
    ),
    (
        "our own question",
        |it| Say::Raw(vec![it.packet.clone()]),
        Some("dns_timeout"),
    ),
    ("half an answer", half, Some("dns_timeout")),
    (
        "more records than there are",
        |it| records(it, 200, &[]),
        Some("dns_timeout"),
    ),
    ("a name that points to itself", pointer, Some("dns_timeout")),
    (
        "an alias of itself",
        |it| records(it, 1, &record(CNAME, 60, &[0xc0, 12])),
        Some("alias_loop"),
    ),
    (
        "an address that is too short",
        |it| records(it, 1, &record(A, 60, &[127])),
        Some("dns_timeout"),
    ),
    ("two hundred records", bulk, None),
    ("it does not fit", cut, None),
    ("it never fits", |_| Say::Cut, Some("bad_answer")),
    (
        "not to be kept",
        |it| Say::Raw(vec![it.found(HERE, 0)]),
        None,
    ),
    (
        "said twice",
        |it| Say::Raw(vec![it.found(HERE, 60), it.found(THERE, 60)]),
        None,
    ),
    ("behind lies", |_| Say::Behind(HERE), None),
];

/// The right answer but for one byte.
fn altered(question: &Question, at: usize) -> Say {
    let mut answer = question.found(HERE, 60);
    answer[at] ^= 0x01;
    Say::Raw(vec![answer])
}

/// The right answer, from a socket that was not asked.
fn from_elsewhere(question: &Question) -> Say {
    let socket = UdpSocket::bind((HERE, 0)).expect("a port");
    let _ = socket.send_to(&question.found(HERE, 60), question.from);
    Say::Raw(vec![])
}

fn records(question: &Question, count: u8, records: &[u8]) -> Say {
    Say::Raw(vec![question.reply(0, count, records)])
}

fn half(question: &Question) -> Say {
    let mut answer = question.reply(0, 1, &record(A, 60, &HERE.octets()));
    answer.truncate(answer.len() - 5);
    Say::Raw(vec![answer])
}

/// A record whose name is a pointer to itself.
fn pointer(question: &Question) -> Say {
    let at = question.packet.len() as u8;
    let mut looped = record(A, 60, &HERE.octets());
    looped[1] = at;
    records(question, 1, &looped)
}

/// The first of them is right. Over 512 bytes it comes on a line.
fn bulk(question: &Question) -> Say {
    if !question.line {
        return Say::Cut;
    }
    if question.six {
        return records(question, 0, &[]);
    }
    let rest = record(A, 60, &THERE.octets()).repeat(199);
    let all = [record(A, 60, &HERE.octets()), rest].concat();
    records(question, 200, &all)
}

fn cut(question: &Question) -> Say {
    match question.line {
        true => Say::Addr(HERE),
        false => Say::Cut,
    }
}

#[test]
fn whatever_a_name_server_does_it_has_its_word_and_costs_nobody_else() {
    let failed: Vec<&str> = thread::scope(|scope| {
        let play = |row: &'static Row| {
            let run = move || catch_unwind(AssertUnwindSafe(|| one(row))).is_err();
            (row.0, scope.spawn(run))
        };
        let running: Vec<_> = ROWS.iter().map(play).collect();
        let ran = running.into_iter();
        let failed = ran.filter_map(|(name, run)| run.join().unwrap_or(true).then_some(name));
        failed.collect()
    });
    assert_eq!(failed, [""; 0], "the rows that failed; why is said above");
}

fn one((name, say, detail): &Row) {
    let say = *say;
    let names = NameServer::new(say);
    let resolver = names.addr().to_string();
    let server = Server::with(["--port", "0", "--resolver", &resolver]);
    let (target, well) = (Target::willing(), Target::willing());
    let url = target.url("/").replace("127.0.0.1", "hook.test");
    let id = schedule(server.addr(), &url, "&_retries=0&a=1");
    schedule(server.addr(), &well.url("/"), "&a=1");
    assert_eq!(well.arrival().attempt(), 1, "{name}");
    let delivery = ended(server.addr(), &id);
    let attempt = &delivery["attempts"][0];
    match detail {
        Some(detail) => {
            let found = (&attempt["error"], &attempt["detail"]);
            assert_eq!(
                found,
                (&"dns".into(), &(*detail).into()),
                "{name}: {delivery}"
            );
            target.has_no_more();
        }
        None => assert_eq!(attempt["status"], 200, "{name}: {delivery}"),
    }
}

/// The loopback address of IPv6 is called; whether anybody has one is the machine's business.
#[test]
fn a_name_with_an_address_of_the_newer_kind_alone_is_called_there() {
    let names = NameServer::new(|question| match question.six {
        true => records(
            question,
            1,
            &record(AAAA, 60, &std::net::Ipv6Addr::LOCALHOST.octets()),
        ),
        false => records(question, 0, &[]),
    });
    let resolver = names.addr().to_string();
    let server = Server::with(["--port", "0", "--resolver", &resolver]);
    let absent = crate::target::Absent::new();
    let url = absent.url("/").replace("127.0.0.1", "hook.test");
    let delivery = ended(
        server.addr(),
        &schedule(server.addr(), &url, "&_retries=0&a=1"),
    );
    assert_eq!(delivery["attempts"][0]["error"], "connect", "{delivery}");
}
