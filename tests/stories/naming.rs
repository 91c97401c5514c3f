//! Targets that go by a name, and the name servers behind it.

use std::net::{Ipv4Addr, UdpSocket};

use crate::names::{NameServer, Question, Say};
use crate::server::Server;
use crate::target::Target;
use crate::{metric, schedule, settled};

const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// A server that asks that name server and says how each attempt ended.
fn asking(addr: impl ToString) -> Server {
    Server::with([
        "--port",
        "0",
        "--log",
        "debug",
        "--resolver",
        &addr.to_string(),
    ])
}

/// The URL of a target by a name.
fn named(target: &Target, name: &str) -> String {
    target.url("/").replace("127.0.0.1", name)
}

/// A webhook to `hook.test` arrives at its first attempt, whatever `say` makes of the questions.
fn arrives(say: impl FnMut(&Question) -> Say + Send + 'static) -> Server {
    let names = NameServer::new(say);
    let (server, target) = (asking(names.addr()), Target::willing());
    schedule(&server, &named(&target, "hook.test"), "&a=1");
    let webhook = target.arrival();
    let authority = format!("hook.test:{}", target.addr().port());
    assert_eq!(
        (webhook.attempt(), webhook.field("Host")),
        (1, &authority[..])
    );
    settled(&server);
    server
}

#[test]
fn a_target_gets_its_webhook_by_its_name() {
    let server = arrives(|question| {
        assert_eq!((&question.name[..], question.line), ("hook.test", false));
        Say::Addr(HERE)
    });
    assert_eq!(metric(&server, "hookah_lookups_total"), 1);
    assert_eq!(metric(&server, "hookah_datagrams_ignored_total"), 0);
}

#[test]
fn what_does_not_fit_a_datagram_is_asked_on_a_line() {
    arrives(|question| match question.line {
        false => Say::Cut,
        true => Say::Addr(HERE),
    });
}

#[test]
fn an_answer_to_something_else_is_waited_past() {
    let server = arrives(|_| Say::Behind(HERE));
    assert!(metric(&server, "hookah_datagrams_ignored_total") >= 2);
}

#[test]
fn a_name_that_does_not_exist_is_tried_again_on_schedule() {
    // Both questions of the first lookup; the next one is five seconds away.
    let names = NameServer::new(|question| match question.number {
        0 | 1 => Say::Code(3),
        _ => Say::Addr(HERE),
    });
    let (mut server, target) = (asking(names.addr()), Target::willing());
    let more = "&_retry_schedule=500ms&_retries=100&a=1";
    schedule(&server, &named(&target, "hook.test"), more);
    let line = server.line_with("attempt_ended");
    assert!(line.contains(" error=dns detail=nxdomain "), "{line}");
    let webhook = target.arrival();
    assert!(webhook.attempt() > 1);
    settled(&server);
    assert_eq!(metric(&server, "hookah_deliveries_delivered_total"), 1);
    assert_eq!(
        metric(&server, "hookah_lookups_total"),
        2,
        "once it is known not to exist"
    );
}

#[test]
fn a_name_nobody_can_tell_fails_its_attempts_in_one_word() {
    let target = Target::willing();
    for (code, word) in [(2, "servfail"), (5, "refused_name"), (3, "nxdomain")] {
        let names = NameServer::new(move |_| Say::Code(code));
        let mut server = asking(names.addr());
        schedule(&server, &named(&target, "hook.test"), "&_retries=0&a=1");
        let line = server.line_with("attempt_ended");
        assert!(
            line.contains(&format!(" error=dns detail={word} ")),
            "{line}"
        );
        settled(&server);
        assert_eq!(metric(&server, "hookah_deliveries_failed_total"), 1);
    }
    target.has_no_more();
}

#[test]
fn a_name_server_that_is_not_there_is_not_waited_for() {
    let absent = UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
    let mut server = asking(absent.expect("a port"));
    schedule(&server, "http://hook.test:9/", "&_retries=0&a=1");
    let line = server.line_with("attempt_ended");
    assert!(line.contains(" error=dns detail=no_server "), "{line}");
}
