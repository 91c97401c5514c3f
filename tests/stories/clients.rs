//! Clients of every manner: old, odd, slow in their spelling, wrong.
//! Clients that wear others down are in `crowds`.

use std::io::Write;

use crate::client::Client;
use crate::server::Server;
use crate::target::Target;
use crate::{FORM, ask, form, post};

/// A POST that is accepted and goes nowhere.
fn topic() -> Vec<u8> {
    form("_topic=t&a=1")
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = Server::start();
    let get = |path| format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n").into_bytes();
    let requests = [
        (get("/health"), 200),
        (topic(), 202),
        (get("/nowhere"), 404),
        (form("a=1"), 400),
        (topic(), 202),
        (get("/dispatch"), 405),
        (post("/nowhere", "", "a body to pass over"), 404),
        (get("/"), 200),
    ];
    let bytes: Vec<u8> = requests
        .iter()
        .flat_map(|(bytes, _)| bytes.clone())
        .collect();
    let mut client = Client::connect(server.addr());
    client.send(&bytes);
    for (_, status) in &requests {
        assert_eq!(client.answer().status, *status);
    }
    // The line lives on.
    assert_eq!(client.send(get("/health")).answer().body, "ok\n");
}

#[test]
fn a_thousand_pipelined_requests_and_a_goodbye_get_a_thousand_answers() {
    let server = Server::start();
    let mut client = Client::connect(server.addr());
    client.send(topic().repeat(1_000)).finish();
    let mut last = String::new();
    for _ in 0..1_000 {
        let answer = client.answer();
        assert_eq!(answer.status, 202);
        let id = answer.fields.get("Hookah-Id").expect("an id").to_owned();
        assert!(id > last, "{id} after {last}");
        last = id;
    }
    client.ends();
}

#[test]
fn one_byte_at_a_time_is_as_good_as_all_at_once() {
    let (server, target) = (Server::start(), Target::willing());
    let request = form(&format!("_url={}&a=1", target.url("/")));
    let mut client = Client::connect(server.addr());
    for byte in &request {
        client.send([*byte]);
    }
    assert_eq!(client.answer().status, 202);
    assert_eq!(target.arrival().text(), "a=1");
}

#[test]
fn a_chunked_body_arrives_in_one_piece() {
    let (server, target) = (Server::start(), Target::willing());
    let head = format!(
        "POST /dispatch HTTP/1.1\r\nHost: h\r\nHookah-Url: {}\r\nContent-Type: a/b\r\n\
         Transfer-Encoding: Chunked\r\n\r\n",
        target.url("/")
    );
    let chunks = "5\r\nhello\r\n0A;name=\"v\";x\r\n, world\r\n!\r\n000\r\nTrailer: t\r\n\r\n";
    let mut client = Client::connect(server.addr());
    client.send(&head).send(chunks);
    assert_eq!(client.answer().status, 202);
    let webhook = target.arrival();
    assert_eq!(
        (webhook.text(), webhook.field("Content-Length")),
        ("hello, world\r\n!", "15")
    );
    assert_eq!(webhook.fields.get("Trailer"), None);
    // And the line goes on exactly behind it.
    for byte in format!("{head}{chunks}").as_bytes() {
        client.send([*byte]);
    }
    assert_eq!(client.answer().status, 202);
    assert_eq!(target.arrival().text(), "hello, world\r\n!");
}

#[test]
fn whoever_asks_before_sending_is_told_to_go_on_or_not_to() {
    let server = Server::start();
    let expecting = |path: &str, version: &str, length: usize| {
        format!(
            "POST {path} HTTP/{version}\r\nHost: h\r\n{FORM}Expect: 100-Continue\r\n\
             Content-Length: {length}\r\n\r\n"
        )
    };
    let mut client = Client::connect(server.addr());
    for _ in 0..2 {
        assert_eq!(
            client
                .send(expecting("/dispatch", "1.1", 8))
                .answer()
                .status,
            100
        );
        assert_eq!(client.send("_topic=t").answer().status, 202);
    }
    // Whoever does not wait needs no interim answer.
    let whole = expecting("/dispatch", "1.1", 8) + "_topic=t";
    assert_eq!(client.send(whole).answer().status, 202);
    for (path, length, status) in [
        ("/nowhere", 8, 404),
        ("/health", 8, 405),
        ("/dispatch", 1 << 30, 413),
    ] {
        let mut client = Client::connect(server.addr());
        let answer = client.send(expecting(path, "1.1", length)).answer();
        assert_eq!((answer.status, answer.closes()), (status, true), "{path}");
        client.ends();
    }
    let mut old = Client::connect(server.addr());
    old.send(expecting("/dispatch", "1.0", 8)).send("_topic=t");
    assert_eq!(old.answer().status, 202);
    old.ends();
    let other = post("/dispatch", "Expect: the-unexpected\r\n", "_topic=t");
    assert_eq!(ask(&server, other).status, 417);
}

#[test]
fn http_1_0_closes_unless_it_asks_to_be_kept() {
    let server = Server::start();
    let mut client = Client::connect(server.addr());
    assert!(
        client
            .send("GET /health HTTP/1.0\r\n\r\n")
            .answer()
            .closes()
    );
    client.ends();
    let mut client = Client::connect(server.addr());
    for _ in 0..3 {
        client.send("GET /health HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");
        assert_eq!(client.answer().fields.get("Connection"), Some("keep-alive"));
    }
    assert!(
        client
            .send("GET /health HTTP/1.0\r\n\r\n")
            .answer()
            .closes()
    );
    client.ends();
}

#[test]
fn close_means_close_and_nothing_after_it_counts() {
    let server = Server::start();
    for connection in ["close", "Close", "x, close", "keep-alive, close"] {
        let mut client = Client::connect(server.addr());
        let closing =
            format!("GET /health HTTP/1.1\r\nHost: h\r\nConnection: {connection}\r\n\r\n");
        client.send(closing + "GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n");
        assert!(client.answer().closes());
        client.ends();
    }
}

#[test]
fn a_head_is_answered_like_a_get_without_its_body() {
    let server = Server::start();
    let mut client = Client::connect(server.addr());
    for path in ["/", "/health", "/nowhere", "/dispatch"] {
        let ask = |method| format!("{method} {path} HTTP/1.1\r\nHost: h\r\n\r\n");
        let head = client.send(ask("HEAD")).answer_to_head();
        let get = client.send(ask("GET")).answer();
        assert_eq!(head.status, get.status, "{path}");
        for name in ["Content-Length", "Content-Type", "Allow"] {
            assert_eq!(head.fields.get(name), get.fields.get(name), "{path}");
        }
        assert_eq!(get.fields.length(), Some(get.body.len()));
    }
}

#[test]
fn a_half_close_after_the_request_still_gets_its_answer() {
    let (server, target) = (Server::start(), Target::willing());
    let mut client = Client::connect(server.addr());
    client
        .send(form(&format!("_url={}&a=1", target.url("/"))))
        .finish();
    assert_eq!(client.answer().status, 202);
    client.ends();
    target.arrival();
}

#[test]
fn a_request_that_breaks_off_has_no_effect() {
    let (server, target) = (Server::start(), Target::willing());
    let whole = form(&format!("_url={}&a=1", target.url("/")));
    for length in [1, 20, whole.len() - 60, whole.len() - 1] {
        let mut client = Client::connect(server.addr());
        client.send(&whole[..length]).finish();
        let said = client.wire.rest();
        assert!(
            said.is_empty() || said.starts_with(b"HTTP/1.1 400 "),
            "{length}"
        );
    }
    assert_eq!(ask(&server, whole).status, 202);
    target.arrival();
    target.has_no_more();
}

#[test]
fn a_body_where_none_is_meant_is_passed_over() {
    let server = Server::start();
    let mut client = Client::connect(server.addr());
    for method in ["GET", "DELETE", "PUT"] {
        for path in ["/health", "/nowhere", "/dispatch"] {
            let body = "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n";
            let fields = format!("Host: h\r\nContent-Length: {}\r\n\r\n", body.len());
            client.send(format!("{method} {path} HTTP/1.1\r\n{fields}{body}"));
            client.answer();
        }
    }
    assert_eq!(
        client
            .send("GET /health HTTP/1.1\r\nHost: h\r\n\r\n")
            .answer()
            .body,
        "ok\n"
    );
}

#[test]
fn a_body_over_the_limit_is_refused_before_it_is_read() {
    let server = Server::with(["--port", "0", "--max-body", "1k"]);
    let mut client = Client::connect(server.addr());
    client.send(format!(
        "POST /dispatch HTTP/1.1\r\nHost: h\r\n{FORM}Content-Length: 1025\r\n\r\n"
    ));
    let answer = client.answer();
    assert_eq!((answer.status, answer.closes()), (413, true));
    assert!(
        answer.body.contains("1025") && answer.body.contains("--max-body"),
        "{}",
        answer.body
    );
    // The server lingers: the body, if it comes after all, does not cost the client its answer.
    client.try_send([b'x'; 1_025]);
    client.ends();

    let mut client = Client::connect(server.addr());
    client.send(format!(
        "POST /dispatch HTTP/1.1\r\nHost: h\r\n{FORM}Transfer-Encoding: chunked\r\n\r\n"
    ));
    client.send("400\r\n").send([b'x'; 1_024]).send("\r\n1\r\n");
    assert_eq!(client.answer().status, 413);
    client.ends();
}

#[test]
fn a_long_upload_to_nowhere_gets_its_answer_and_not_a_reset() {
    let server = Server::start();
    let mut client = Client::connect(server.addr());
    client.send("POST /nowhere HTTP/1.1\r\nHost: h\r\nContent-Length: 200000\r\n\r\n");
    client.send([b'x'; 100_000]);
    let answer = client.answer();
    assert_eq!((answer.status, answer.closes()), (404, true));
    let _ = client.wire.stream.write_all(&[b'x'; 100_000]);
    client.ends();
}

#[test]
fn what_is_not_there_or_not_allowed_is_said_in_either_language() {
    let server = Server::start();
    let ask_json = |method: &str, path: &str| {
        let fields = "Host: h\r\nAccept: application/problem+json\r\nContent-Length: 0\r\n";
        ask(&server, format!("{method} {path} HTTP/1.1\r\n{fields}\r\n"))
    };
    let plain = ask(&server, "GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!((plain.status, plain.body.as_str()), (404, "404 Not found"));
    assert!(!plain.closes());
    let rows = [
        ("GET", "/nowhere", 404, "not_found", "Not found", None),
        (
            "GET",
            "/dispatch",
            405,
            "method_not_allowed",
            "Method not allowed",
            Some("POST, OPTIONS"),
        ),
        (
            "PUT",
            "/dispatch/x",
            405,
            "method_not_allowed",
            "Method not allowed",
            Some("POST, OPTIONS"),
        ),
        (
            "POST",
            "/health",
            405,
            "method_not_allowed",
            "Method not allowed",
            Some("GET, HEAD, OPTIONS"),
        ),
        (
            "POST",
            "/dispatch",
            400,
            "no_destination",
            "No destination URL",
            None,
        ),
    ];
    for (method, path, status, code, title, allow) in rows {
        let answer = ask_json(method, path);
        assert_eq!(answer.status, status, "{method} {path}");
        assert_eq!(answer.fields.get("Allow"), allow, "{method} {path}");
        assert_eq!(
            answer.fields.get("Content-Type"),
            Some("application/problem+json")
        );
        let kind = format!("{{\"type\":\"urn:hookah:problem:{code}\"");
        assert_eq!(
            answer.body,
            format!("{kind},\"title\":\"{title}\",\"status\":{status}}}")
        );
    }
}

#[test]
fn an_absolute_target_is_as_good_as_a_path() {
    let server = Server::start();
    let answer = ask(
        &server,
        "GET http://other:1/health HTTP/1.1\r\nHost: h\r\n\r\n",
    );
    assert_eq!((answer.status, answer.body.as_str()), (200, "ok\n"));
}

#[test]
fn an_upgrade_is_ignored() {
    let server = Server::start();
    let upgrade = "Connection: Upgrade\r\nUpgrade: h2c\r\n";
    let answer = ask(
        &server,
        format!("GET /health HTTP/1.1\r\nHost: h\r\n{upgrade}\r\n"),
    );
    assert_eq!(answer.body, "ok\n");
}
