//! Who is let in, and for what.

use super::*;
use crate::http::problem::Reason;

const NOW: Wall = Wall(1_763_880_000_000_000);

fn hex(secret: &str) -> String {
    let hash = hash_of(secret.as_bytes());
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn roll(lines: &[(&str, &str)]) -> Roll {
    let lines = lines.iter().map(|(name, rights)| {
        let hash = hex(&format!("secret of {name}"));
        format!("{name} sha256:{hash} {rights}\n")
    });
    Roll::parse(&lines.collect::<String>()).expect("a right roll")
}

fn gate(lines: &[(&str, &str)]) -> Gate {
    Gate::new(Some(roll(lines)), 1)
}

fn visitor(door: Door) -> Visitor {
    Visitor {
        peer: IpAddr::from([127, 0, 0, 1]),
        door,
        secure: false,
    }
}

fn look(gate: &Gate, door: Door, authorization: Option<&str>, query: &str) -> Result<Who, Wrong> {
    let claim = Claim {
        authorization: authorization.map(str::as_bytes),
        repeated: false,
        query: Some(query),
        signed: true,
    };
    gate.look(NOW, visitor(door), &claim)
}

#[test]
fn without_a_roll_everybody_is_anyone() {
    let mut open = Gate::new(None, 1);
    let who = look(&open, Door::Open, Some("Bearer nothing"), "").expect("anyone");
    assert_eq!(who, Who::Anyone);
    assert!(open.is_open() && open.may(who, Right::Admin) && open.knows(UNMARKED));
    assert_eq!(
        (open.scope(who), open.is_strict(who), open.mark(who)),
        ("", false, UNMARKED)
    );
    let now = Now {
        mono: Mono(1),
        wall: NOW,
    };
    assert!((0..100).all(|_| open.spend(now, who).is_ok()));
}

#[test]
fn each_secret_is_its_token() {
    let names: Vec<_> = (0..300).map(|at| format!("t{at}")).collect();
    let lines: Vec<_> = names.iter().map(|name| (&**name, "read")).collect();
    let gate = gate(&lines);
    for (at, name) in names.iter().enumerate() {
        let field = format!("Bearer secret of {name}");
        let who = look(&gate, Door::Open, Some(&field), "").expect("a token");
        assert_eq!((who, gate.scope(who)), (Who::Token(at), &**name));
        let query = format!("topic=a&token=secret%20of%20{name}");
        assert_eq!(
            look(&gate, Door::Loopback, None, &query),
            Ok(Who::Token(at))
        );
    }
    for wrong in [
        "Bearer secret of t300",
        "Bearer x",
        "Basic Og==",
        "Digest a",
    ] {
        let why = look(&gate, Door::Loopback, Some(wrong), "").expect_err(wrong);
        assert_eq!(
            (why.problem.reason, why.counts),
            (Reason::InvalidToken, true)
        );
    }
    assert_eq!(look(&gate, Door::Loopback, None, ""), Ok(Who::Stranger));
}

#[test]
fn only_the_own_user_is_the_owner() {
    let gate = gate(&[("ci", "read")]);
    let [own, other] = [true, false].map(|owner| Door::Unix { owner });
    assert_eq!(look(&gate, own, None, ""), Ok(Who::Owner));
    assert_eq!(look(&gate, other, None, ""), Ok(Who::Stranger));
    let wrong = look(&gate, own, Some("Bearer of-old"), "").unwrap_err();
    assert_eq!(wrong.problem.reason, Reason::InvalidToken);
    assert_eq!(
        look(&gate, own, Some("Bearer secret of ci"), ""),
        Ok(Who::Token(0))
    );
    assert!(gate.may(Who::Owner, Right::Admin) && !gate.may(Who::Stranger, Right::Stream));
}

/// Every right, and the words that give it.
const RIGHTS: [(Right<'static>, &[&str]); 16] = [
    (Right::Dispatch, &["dispatch"]),
    (Right::Send, &["dispatch", "publish:n*", "publish:news"]),
    (Right::Publish(b"news"), &["publish:n*", "publish:news"]),
    (Right::Publish(b"old"), &[]),
    (Right::Stream, &["subscribe:n*", "read"]),
    (Right::Subscribe(b"news"), &["subscribe:n*"]),
    (Right::Subscribe(b"$hookah/deliveries"), &["read"]),
    (Right::Prefix(b"ne"), &["subscribe:n*"]),
    (Right::Prefix(b"n"), &["subscribe:n*"]),
    (Right::Prefix(b"o"), &[]),
    (Right::Prefix(b""), &[]),
    (Right::Prefix(b"$"), &["read"]),
    (Right::Hub, &["hub"]),
    (Right::Read, &["read"]),
    (Right::Admin, &[]),
    (Right::Subscribe(b"old"), &[]),
];

#[test]
fn each_word_gives_its_rights_and_no_other() {
    let words = [
        "dispatch",
        "publish:n*",
        "publish:news",
        "subscribe:n*",
        "hub",
        "read",
        "tickets",
        "targets=public",
        "rate=1/s",
    ];
    for word in words {
        let gate = gate(&[("it", word), ("all", "admin")]);
        for (right, given_by) in RIGHTS {
            let given = gate.may(Who::Token(0), right);
            assert_eq!(given, given_by.contains(&word), "{word}: {right:?}");
            assert!(gate.may(Who::Token(1), right), "admin: {right:?}");
            assert!(!gate.may(Who::Stranger, right), "{right:?}");
        }
    }
    let all = gate(&[("it", "subscribe:* publish:*")]);
    assert!(all.may(Who::Token(0), Right::Prefix(b"a")));
    for not in [
        Right::Prefix(b""),
        Right::Prefix(b"$"),
        Right::Subscribe(b"$a"),
    ] {
        assert!(!all.may(Who::Token(0), not), "{not:?}");
    }
}

#[test]
fn a_refusal_names_the_right() {
    let gate = gate(&[("it", "hub")]);
    let detail = |who, right| {
        let why = gate.demand(who, right).expect_err("refused");
        (why.reason.row().status, why.detail.into_owned())
    };
    let token = Who::Token(0);
    let rows = [
        (Right::Dispatch, "dispatch"),
        (Right::Publish(b"a\nb"), "publish:a\\nb"),
        (Right::Subscribe(b"a"), "subscribe:a"),
        (Right::Prefix(b"a"), "subscribe:a*"),
        (Right::Prefix(b""), "admin"),
        (Right::Prefix(b"$"), "read"),
        (Right::Subscribe(b"$a"), "read"),
    ];
    for (right, word) in rows {
        assert_eq!(
            detail(token, right),
            (403, format!("right: {word} is missing"))
        );
    }
    let (status, text) = detail(Who::Stranger, Right::Read);
    assert_eq!(status, 401);
    assert!(text.starts_with("right: read is needed"), "{text}");
}

fn signed(name: &str, topic: &str, exp: u64) -> String {
    let hash = hash_of(format!("secret of {name}").as_bytes());
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &hash);
    let tag = ring::hmac::sign(&key, format!("{exp}\n{topic}").as_bytes());
    let sig: String = tag.as_ref().iter().map(|it| format!("{it:02x}")).collect();
    format!(
        "topic={}&exp={exp}&key={name}&sig={sig}",
        topic.replace('$', "%24")
    )
}

#[test]
fn a_ticket_reads_its_topic_until_its_time() {
    let gate = gate(&[
        ("web", "subscribe:a* tickets"),
        ("mute", "tickets"),
        ("plain", "subscribe:*"),
        ("all", "admin"),
    ]);
    let soon = 1_763_880_001;
    let until = Wall(soon * 1_000_000);
    let at = |query: &str| look(&gate, Door::Open, None, query);
    let who = at(&signed("web", "ab", soon)).expect("a ticket");
    assert_eq!(who, Who::Ticket { token: 0, until });
    assert!(gate.may(who, Right::Subscribe(b"ab")) && gate.may(who, Right::Stream));
    for not in [
        Right::Subscribe(b"b"),
        Right::Prefix(b"a"),
        Right::Read,
        Right::Send,
    ] {
        assert!(!gate.may(who, not), "{not:?}");
    }
    assert_eq!(gate.mark(who), gate.mark(Who::Token(0)));
    assert!(at(&signed("all", "$a", soon)).is_ok());
    let refused = |query: &str| {
        let why = at(query).expect_err(query);
        (why.problem.reason, why.counts)
    };
    assert_eq!(
        refused(&signed("web", "ab", soon - 1)),
        (Reason::InvalidToken, false)
    );
    for name in ["mute", "plain"] {
        let right = (Reason::InsufficientScope, false);
        assert_eq!(refused(&signed(name, "ab", soon)), right, "{name}");
    }
    assert_eq!(
        refused(&signed("web", "b", soon)).0,
        Reason::InsufficientScope
    );
    for wrong in [
        signed("nobody", "ab", soon),
        signed("web", "ab", soon).replace("topic=ab", "topic=ac"),
        signed("web", "ab", soon).replace("exp=1", "exp=2"),
        signed("web", "ab", soon) + "&topic=ac",
    ] {
        assert_eq!(refused(&wrong), (Reason::InvalidToken, true), "{wrong}");
    }
}

#[test]
fn a_rate_is_a_bucket_of_its_token() {
    let mut gate = gate(&[("a", "read rate=2/s"), ("b", "read")]);
    let at = |micros: u64| Now {
        mono: Mono(10_000_000 + micros),
        wall: NOW,
    };
    assert!(gate.spend(at(0), Who::Token(0)).is_ok());
    assert!(gate.spend(at(0), Who::Token(0)).is_ok());
    let wait = gate
        .spend(at(0), Who::Token(0))
        .expect_err("the third at once");
    assert_eq!(wait, Duration::from_millis(500));
    assert!(gate.spend(at(0), Who::Token(1)).is_ok());
    assert!(gate.spend(at(499_999), Who::Token(0)).is_err());
    assert!(gate.spend(at(500_000), Who::Token(0)).is_ok());
    // What is used is used, whoever else comes and goes.
    let hash = hex("secret of a");
    let again = format!("{}a sha256:{hash} read rate=2/s hub\n", "# more\n");
    gate.enrol(&Roll::parse(&again).expect("a right roll"));
    assert!(gate.spend(at(500_000), Who::Token(0)).is_err());
}

#[test]
fn who_keeps_the_line_keeps_the_mark() {
    let mut gate = gate(&[("a", "read"), ("b", "read"), ("c", "read")]);
    let marks = [0, 1, 2].map(|at| gate.mark(Who::Token(at)));
    assert!(marks.iter().all(|mark| gate.knows(*mark)));
    let enrolled = gate.enrol(&roll(&[("d", "hub"), ("c", "read"), ("b", "read hub")]));
    let right = Enrolled {
        tokens: 3,
        new: 2,
        gone: 2,
    };
    assert_eq!(enrolled, right);
    assert_eq!(marks.map(|mark| gate.knows(mark)), [false, false, true]);
    assert_eq!(gate.mark(Who::Token(1)), marks[2]);
    gate.enrol(&Roll::default());
    assert!(!gate.is_open() && marks.iter().all(|mark| !gate.knows(*mark)));
    assert_eq!(look(&gate, Door::Open, None, ""), Ok(Who::Stranger));
}

#[test]
fn ten_failures_a_minute_and_address() {
    let mut gate = gate(&[("a", "read")]);
    let [one, other] = [1, 2].map(|last| IpAddr::from([192, 0, 2, last]));
    let now = Mono(60_000_000);
    assert!((0..10).all(|_| gate.failed(now, one).is_ok()));
    assert!(gate.failed(now, one).is_err() && gate.failed(now, other).is_ok());
}
