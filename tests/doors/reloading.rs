//! SIGHUP: certificates are read anew, and lines that are open stay.

use std::fs;

use crate::authority::{Authority, Flaw};
use crate::caller::{Caller, HEALTH, LAST, config, flags};
use crate::server::Server;

#[test]
fn new_lines_see_the_new_certificate_and_old_ones_go_on() {
    let (before, after) = (Authority::new(), Authority::new());
    let (certificate, key) = before.files(Flaw::None);
    let (new_certificate, new_key) = after.files(Flaw::None);
    let mut server = Server::with(flags(&certificate, &key, []));
    let (trusts_before, trusts_after) = (config(&before, None, None), config(&after, None, None));
    let mut reader = Caller::of(&server, &trusts_before);
    reader.say("GET /stream?topic=news&format=raw HTTP/1.1\r\nHost: localhost\r\n\r\n");
    reader.hear("\r\n\r\n");

    // A key of another certificate is no use: all stays.
    fs::copy(&new_key, &key).unwrap();
    server.signal("HUP");
    let line = server.line_with("reload_failed ");
    assert!(line.contains("is not the key of the certificate"), "{line}");
    server.line_with("reload_done signal=SIGHUP what=nothing");
    let mut caller = Caller::of(&server, &trusts_before);
    caller.say(LAST);
    caller.hear_all();
    let mut idle = Caller::of(&server, &trusts_before);

    fs::copy(&new_certificate, &certificate).unwrap();
    server.signal("HUP");
    server.line_with("reload_done signal=SIGHUP what=certificates");
    let mut caller = Caller::of(&server, &trusts_after);
    caller.say(
        "POST /dispatch?_topic=news HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n\
         Content-Length: 5\r\nConnection: close\r\n\r\nhello",
    );
    assert!(caller.hear_all().starts_with("HTTP/1.1 202 "));
    reader.hear("hello");
    idle.say(HEALTH);
    idle.hear("HTTP/1.1 200 OK\r\n");
}

#[test]
fn who_was_let_in_by_an_authority_that_is_gone_is_not_resumed() {
    let (ours, theirs, others) = (Authority::new(), Authority::new(), Authority::new());
    let (certificate, key) = ours.files(Flaw::None);
    let file = crate::authority::file(&fs::read_to_string(&theirs.file).unwrap());
    let ca = format!("--client-ca={}", file.display());
    let mut server = Server::with(flags(&certificate, &key, [&*ca]));
    let config = config(&ours, Some((&theirs, Flaw::None)), None);
    let mut caller = Caller::of(&server, &config);
    caller.say(LAST);
    caller.hear_all();
    fs::copy(&others.file, &file).unwrap();
    server.signal("HUP");
    server.line_with("reload_done signal=SIGHUP what=certificates");
    if let Ok(caller) = Caller::call(&server, &config) {
        assert!(!caller.is_resumed());
        caller.fails();
    }
    // Both authorities go by the same name.
    server.line_with("why=tls_cert_bad_signature");
}

#[test]
fn without_such_files_nothing_is_read_anew() {
    let mut server = Server::start();
    server.signal("HUP");
    server.line_with("reload_done signal=SIGHUP what=nothing");
}
