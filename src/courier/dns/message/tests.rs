//! Tests of messages: what is asked, byte for byte, and every kind of answer and of no answer.

use simple_dns::rdata::{A, AAAA, CNAME, TXT};

use super::*;

/// An answer under construction; what it starts with answers `ask`.
struct Reply {
    id: u16,
    flags: u16,
    question: (&'static str, u16, u16),
    records: Vec<(&'static str, u32, RData<'static>)>,
}

const ID: u16 = 0xbeef;
const RESPONSE: u16 = 0x8180;
const CUT: u16 = 0x0200;

fn reply() -> Reply {
    Reply {
        id: ID,
        flags: RESPONSE,
        question: ("hook.test", 1, 1),
        records: Vec::new(),
    }
}

impl Reply {
    fn a(mut self, name: &'static str, ttl: u32, last: u8) -> Reply {
        let address = u32::from(Ipv4Addr::new(10, 0, 0, last));
        self.records.push((name, ttl, RData::A(A { address })));
        self
    }

    fn alias(mut self, name: &'static str, ttl: u32, to: &'static str) -> Reply {
        let to = Name::new(to).unwrap();
        self.records.push((name, ttl, RData::CNAME(CNAME(to))));
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let mut packet = Packet::new_reply(self.id);
        for (name, ttl, rdata) in &self.records {
            let name = Name::new(name).unwrap();
            let record = ResourceRecord::new(name, CLASS::IN, *ttl, rdata.clone());
            packet.answers.push(record);
        }
        let (name, kind, class) = self.question;
        let (kind, class) = (kind.try_into().unwrap(), class.try_into().unwrap());
        let question = Question::new(Name::new(name).unwrap(), kind, class, false);
        packet.questions.push(question);
        let mut bytes = packet.build_bytes_vec_compressed().unwrap();
        bytes[2..4].copy_from_slice(&self.flags.to_be_bytes());
        bytes
    }

    fn read(&self) -> Option<Answer> {
        answer(&self.bytes(), ID, "hook.test", Family::V4)
    }
}

fn addrs(last: impl IntoIterator<Item = u8>, ttl: u64) -> Option<Answer> {
    let addrs = last.into_iter().map(|last| IpAddr::from([10, 0, 0, last]));
    Some(Answer::Addrs(addrs.collect(), Duration::from_secs(ttl)))
}

#[test]
fn a_question_is_one_name_and_recursion_is_wanted() {
    let expected = b"\xbe\xef\x01\0\0\x01\0\0\0\0\0\0\x04hook\x04test\0\0\x01\0\x01";
    assert_eq!(*question(ID, "hook.test", Family::V4).unwrap(), *expected);
    let other = question(ID, "hook.test.", Family::V6).unwrap();
    assert_eq!(other[12..], *b"\x04hook\x04test\0\0\x1c\0\x01");
    assert_eq!(question(1, &"a".repeat(64), Family::V4), None);
}

#[test]
fn addresses_come_with_the_least_time_to_live() {
    let rows = [
        (reply().a("hook.test", 60, 1), addrs([1], 60)),
        (
            reply().a("hook.test", 60, 1).a("HOOK.test", 7, 2),
            addrs([1, 2], 7),
        ),
        (reply().a("hook.test", 0, 1), addrs([1], 0)),
        (reply().a("hook.test", 1 << 31, 1), addrs([1], 0)),
        (
            reply().a("other.test", 9, 1).a("hook.test", 60, 2),
            addrs([2], 60),
        ),
        (reply().a("other.test", 60, 1), Some(Answer::Empty)),
        (reply(), Some(Answer::Empty)),
    ];
    for (number, (reply, expected)) in rows.into_iter().enumerate() {
        assert_eq!(reply.read(), expected, "row {number}");
    }
}

#[test]
fn six_is_not_four() {
    let mut reply = reply().a("hook.test", 60, 1);
    let address = u128::from(Ipv6Addr::LOCALHOST);
    reply
        .records
        .push(("hook.test", 60, RData::AAAA(AAAA { address })));
    assert_eq!(reply.read(), addrs([1], 60));
    reply.question.1 = 28;
    assert_eq!(reply.read(), None, "the question was another");
    let six = answer(&reply.bytes(), ID, "hook.test", Family::V6);
    let expected = vec![IpAddr::from(Ipv6Addr::LOCALHOST)];
    assert_eq!(six, Some(Answer::Addrs(expected, Duration::from_secs(60))));
}

#[test]
fn aliases_are_followed_but_not_round_and_round() {
    let chain = reply()
        .a("c.test", 50, 3)
        .alias("b.test", 20, "C.TEST")
        .alias("hook.test", 40, "b.test");
    assert_eq!(chain.read(), addrs([3], 20));
    let open = reply().alias("hook.test", 40, "b.test");
    assert_eq!(open.read(), Some(Answer::Empty));
    let round = reply()
        .alias("hook.test", 1, "b.test")
        .alias("b.test", 1, "hook.test");
    assert_eq!(round.read(), Some(Answer::Failed("alias_loop")));
    let itself = reply().alias("hook.test", 1, "hook.test");
    assert_eq!(itself.read(), Some(Answer::Failed("alias_loop")));
    const NAMES: [&str; 10] = [
        "hook.test",
        "b1",
        "b2",
        "b3",
        "b4",
        "b5",
        "b6",
        "b7",
        "b8",
        "b9",
    ];
    let chain = |length: usize| {
        let steps = NAMES.windows(2).take(length);
        let reply = steps.fold(reply(), |reply, pair| reply.alias(pair[0], 9, pair[1]));
        reply.a(NAMES[length], 9, 1).read()
    };
    assert_eq!(chain(8), addrs([1], 9));
    assert_eq!(chain(9), Some(Answer::Failed("alias_loop")));
}

#[test]
fn of_two_hundred_addresses_sixty_four_are_taken() {
    let all = (0..200).fold(reply(), |reply, last| reply.a("hook.test", 60, last));
    assert_eq!(all.read(), addrs(0..64, 60));
}

#[test]
fn every_code_says_something() {
    let rows = [
        (1, Answer::Failed("bad_answer")),
        (2, Answer::Failed("servfail")),
        (3, Answer::NoName),
        (4, Answer::Failed("bad_answer")),
        (5, Answer::Failed("refused_name")),
        (15, Answer::Failed("bad_answer")),
    ];
    for (code, expected) in rows {
        let mut reply = reply().a("hook.test", 60, 1);
        reply.flags |= code;
        assert_eq!(reply.read(), Some(expected), "{code}");
    }
}

#[test]
fn what_is_cut_off_says_only_that() {
    let mut reply = (0..40).fold(reply(), |reply, last| reply.a("hook.test", 60, last));
    reply.flags |= CUT;
    let bytes = reply.bytes();
    assert_eq!(reply.read(), Some(Answer::Truncated));
    // The records may end anywhere then.
    let part = answer(&bytes[..100], ID, "hook.test", Family::V4);
    assert_eq!(part, Some(Answer::Truncated));
    assert_eq!(answer(&bytes[..20], ID, "hook.test", Family::V4), None);
}

#[test]
fn what_does_not_answer_the_question_is_no_answer() {
    type Change = fn(&mut Reply);
    let rows: [(&str, Change); 6] = [
        ("another id", |reply| reply.id += 1),
        ("a question", |reply| reply.flags &= 0x7fff),
        ("another operation", |reply| reply.flags |= 0x0800),
        ("another name", |reply| reply.question.0 = "look.test"),
        ("another type", |reply| reply.question.1 = 16),
        ("another class", |reply| reply.question.2 = 3),
    ];
    for (what, change) in rows {
        let mut reply = reply().a("hook.test", 60, 1);
        reply.question.0 = "HOOK.test";
        assert_eq!(reply.read(), addrs([1], 60), "before {what}");
        change(&mut reply);
        assert_eq!(reply.read(), None, "{what}");
    }
}

#[test]
fn garbage_is_no_answer_wherever_it_stands() {
    let good = reply()
        .alias("hook.test", 9, "b.test")
        .a("b.test", 60, 1)
        .bytes();
    let read = |bytes: &[u8]| answer(bytes, ID, "hook.test", Family::V4);
    for end in 0..good.len() {
        assert_eq!(read(&good[..end]), None, "cut at {end}");
    }
    // Counts that promise more than there is, an absurd number of it too.
    for count in [3, 255, u16::MAX] {
        for place in [4, 6] {
            let mut bytes = good.clone();
            bytes[place..place + 2].copy_from_slice(&count.to_be_bytes());
            assert_eq!(read(&bytes), None, "{count} at {place}");
        }
    }
    // What stands behind the answers is nobody's business.
    for place in [8, 10] {
        let mut bytes = good.clone();
        bytes[place] = 0xff;
        bytes.extend_from_slice(b"\xc0\xffgarbage");
        assert_eq!(read(&bytes), addrs([1], 9));
    }
    // Compression that points at itself, forwards, and in a circle.
    for pointer in [[0xc0, 27], [0xc0, 28], [0xc0, 0xff], [0xff, 0xff]] {
        let mut bytes = good.clone();
        bytes[27..29].copy_from_slice(&pointer);
        assert_eq!(read(&bytes), None, "{pointer:?}");
    }
}

#[test]
fn records_of_other_kinds_do_no_harm() {
    let mut reply = reply();
    let text = TXT::new().with_string("v=spf1").unwrap();
    reply.records.push(("hook.test", 1, RData::TXT(text)));
    assert_eq!(reply.a("hook.test", 60, 1).read(), addrs([1], 60));
}
