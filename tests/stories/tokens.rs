//! Tokens against the real binary: what a file of them lets in and what it does not, that they are
//! taken away while others go on, and that no secret shows anywhere.

use std::fs;
use std::path::PathBuf;
use std::process::Output;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::client::{Answer, Client};
use crate::server::{Server, hookah};
use crate::target::Target;
use crate::{FORM, ask, post};

/// A file of tokens of its own, which goes with the test.
struct File(PathBuf);

impl File {
    fn new(text: &str) -> File {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("hookah-tokens-{}-{number}", std::process::id());
        let file = File(std::env::temp_dir().join(name));
        file.says(text);
        file
    }

    fn says(&self, text: &str) {
        fs::write(&self.0, text).expect("a file");
    }

    fn server(&self, flags: &[&str]) -> Server {
        let path = self.0.to_str().expect("a path");
        let usual = ["--port", "0", "--tokens", path];
        Server::with(usual.iter().chain(flags))
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn run(words: &[&str]) -> Output {
    hookah().args(words).output().expect("it runs")
}

/// A token that the binary makes: its line and its secret.
fn token(name: &str, rights: &str) -> (String, String) {
    let made = run(&["token", "new", name, rights]);
    assert!(made.status.success(), "{made:?}");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    let (line, said) = (text(made.stdout), text(made.stderr));
    assert!(line.ends_with('\n') && line.lines().count() == 1, "{line}");
    let secret = said.lines().next().expect("a secret").to_owned();
    assert!(secret.starts_with("hk_") && secret.len() == 46, "{secret}");
    assert!(!line.contains(&secret) && said.contains("curl"), "{said}");
    (line, secret)
}

fn bearer(secret: &str) -> String {
    format!("Authorization: Bearer {secret}\r\n")
}

fn get(path: &str, fields: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: h\r\n{fields}\r\n")
}

fn challenge(answer: &Answer) -> &str {
    answer.fields.get("WWW-Authenticate").unwrap_or_default()
}

#[test]
fn a_token_is_made_stored_and_shown() {
    let ((one, own), (other, others)) = (token("ci", "dispatch"), token("web", "read"));
    assert_ne!(own, others);
    let file = File::new(&format!("# ours\n{one}{other}"));
    let (server, target) = (file.server(&[]), Target::willing());
    let send = |fields: &str| {
        let body = format!("_url={}&a=1", target.url("/"));
        ask(&server, post("/dispatch", &format!("{FORM}{fields}"), body))
    };
    let none = send("");
    assert_eq!(
        (none.status, challenge(&none)),
        (401, "Bearer realm=\"hookah\"")
    );
    let wrong = send(&bearer(&own[..45]));
    let invalid = "Bearer realm=\"hookah\", error=\"invalid_token\"";
    assert_eq!((wrong.status, challenge(&wrong)), (401, invalid));
    let poor = send(&bearer(&others));
    let insufficient = "Bearer realm=\"hookah\", error=\"insufficient_scope\"";
    assert_eq!((poor.status, challenge(&poor)), (403, insufficient));
    assert!(poor.body.contains("dispatch"), "{}", poor.body);
    target.has_no_more();
    assert_eq!(send(&bearer(&own)).status, 202);
    assert_eq!(target.arrival().text(), "a=1");
    for open in ["/health", "/ready", "/", "/hub"] {
        assert_eq!(ask(&server, get(open, "")).status, 200, "{open}");
    }
    for window in WINDOWS {
        assert_eq!(ask(&server, get(window, "")).status, 401, "{window}");
        assert_eq!(
            ask(&server, get(window, &bearer(&own))).status,
            403,
            "{window}"
        );
        assert_eq!(
            ask(&server, get(window, &bearer(&others))).status,
            200,
            "{window}"
        );
    }
}

#[test]
fn what_a_new_token_cannot_be_is_said() {
    let rows = [
        (
            &["token", "new", "a b", "read"][..],
            "\"a b\" is no name; allowed: 1 to 64",
        ),
        (
            &["token", "new", "ci"],
            "right 1 is missing; allowed: dispatch, publish:GLOB",
        ),
        (
            &["token", "new", "ci", "read", "dispach"],
            "right 2 (\"dispach\") is no right",
        ),
        (
            &["token", "new"],
            "token needs more words; allowed: token new NAME RIGHTS",
        ),
        (&["token", "old", "ci", "read"], "token needs more words"),
    ];
    for (words, right) in rows {
        let made = run(words);
        let said = String::from_utf8_lossy(&made.stderr);
        assert_eq!(made.status.code(), Some(64), "{words:?}: {said}");
        assert!(
            said.contains(right) && made.stdout.is_empty(),
            "{words:?}: {said}"
        );
    }
}

#[test]
fn a_file_that_is_wrong_is_named_with_its_line() {
    let (line, secret) = token("ci", "dispatch");
    let hash = &line[10..74];
    let file = File::new(&format!("# ours\n{line}web {secret} read\n"));
    let path = file.0.to_str().expect("a path");
    let ran = run(&["--port", "0", "--tokens", path]);
    let said = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(78), "{said}");
    let right = format!("--tokens {path}: line 3: word 2 is no hash; allowed: NAME sha256:HASH");
    assert!(said.contains(&right), "{said}");
    assert!(!said.contains(&secret) && !said.contains(hash), "{said}");
    let ran = run(&["--port", "0", "--tokens", "/nowhere/tokens"]);
    let said = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(78), "{said}");
    assert!(
        said.contains("--tokens /nowhere/tokens: cannot be read: "),
        "{said}"
    );
}

#[test]
fn with_tokens_others_may_reach_it() {
    let (line, secret) = token("ci", "read");
    let file = File::new(&line);
    let ran = run(&["--listen", "0.0.0.0:0"]);
    let said = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(78), "{said}");
    assert!(
        said.contains("--tokens FILE") && said.contains("--insecure-no-auth"),
        "{said}"
    );
    let path = file.0.to_str().expect("a path");
    let server = Server::with(["--listen", "0.0.0.0:0", "--tokens", path]);
    let port = server.addr().port();
    let mut client = Client::connect(([127, 0, 0, 1], port).into());
    assert_eq!(client.send(get("/lanes", "")).answer().status, 401);
    assert_eq!(
        client.send(get("/lanes", &bearer(&secret))).answer().status,
        200
    );
}

#[test]
fn who_is_refused_is_not_asked_for_a_body() {
    let file = File::new(&token("ci", "dispatch").0);
    let server = file.server(&[]);
    let head = "POST /dispatch HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\
                Expect: 100-continue\r\n\r\n";
    let mut client = Client::connect(server.addr());
    // An interim 100 would come first.
    assert_eq!(client.send(head).answer().status, 401);
}

#[test]
fn a_secret_may_be_the_password_or_stand_in_the_query_of_a_stream() {
    // `printf %s hk_secret | sha256sum`, and the base64 of `curl -u me:hk_secret`.
    let file = File::new(&format!("ci sha256:{HASH} subscribe:* read tickets\n"));
    let server = file.server(&[]);
    for field in [
        "Basic bWU6aGtfc2VjcmV0",
        "bAsIc bWU6aGtfc2VjcmV0",
        "BEARER hk_secret",
    ] {
        let fields = format!("Authorization: {field}\r\n");
        assert_eq!(ask(&server, get("/lanes", &fields)).status, 200, "{field}");
    }
    let rows = [
        ("topic=t&poll=1&token=hk_secret", 204),
        ("topic=t&poll=1&access_token=hk%5fsecret", 204),
        ("topic=t&poll=1&token=hk_wrong", 401),
        ("topic=t&poll=1", 401),
        (&format!("{TICKET}&poll=1"), 204),
        (&format!("{TICKET}&poll=1&topic=u"), 401),
        (&format!("{}&poll=1", TICKET.replace("=41", "=42")), 401),
    ];
    for (query, right) in rows {
        let answer = ask(&server, get(&format!("/stream?{query}"), ""));
        assert_eq!(answer.status, right, "{query}: {answer:?}");
    }
    assert_eq!(ask(&server, get("/lanes?token=hk_secret", "")).status, 401);
}

const HASH: &str = "7c09c7e6b1f9fc509e6fdd7354a6b3ee3c7c23e8f307ca5e483e735e89688a4d";
/// Signed by the two lines of README with `SECRET=hk_secret EXP=4102444800 TOPIC=news/örtlich`.
const TICKET: &str = "topic=news/%C3%B6rtlich&exp=4102444800&key=ci&sig=\
                      f3cd7c2a46ad3ad8044349b0b167481867792b53aa899bfcba6f5b934d54d3c1";

#[test]
fn readme_says_how_a_ticket_is_signed() {
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let text = fs::read_to_string(readme).expect("README");
    let lines = [
        "key=$(printf %s \"$SECRET\" | openssl dgst -sha256 -r | cut -d' ' -f1)\n",
        "sig=$(printf '%s\\n%s' \"$EXP\" \"$TOPIC\" | openssl dgst -sha256 -mac HMAC -macopt \
         \"hexkey:$key\" -r | cut -d' ' -f1)\n",
    ];
    assert!(
        text.contains(&lines.concat()),
        "the lines that made the ticket of this test"
    );
}

#[test]
fn our_own_token_is_not_forwarded() {
    let (line, secret) = token("ci", "dispatch");
    let (file, target) = (File::new(&line), Target::willing());
    let server = file.server(&[]);
    let body = format!("_url={}&_forward_headers=1&a=1", target.url("/"));
    let fields = format!("{FORM}{}X-Event: push\r\n", bearer(&secret));
    assert_eq!(ask(&server, post("/dispatch", &fields, body)).status, 202);
    let webhook = target.arrival();
    assert_eq!(webhook.field("X-Event"), "push");
    assert_eq!(webhook.fields.get("Authorization"), None);
    assert!(!format!("{:?}", webhook.fields).contains(&secret));
}

#[test]
fn what_a_token_resends_goes_where_it_may_send() {
    let (own, own_secret) = token("own", "dispatch");
    let (app, app_secret) = token("app", "dispatch targets=public");
    let (file, target) = (File::new(&[own, app].concat()), Target::willing());
    let server = file.server(&[]);
    let fields = format!("{FORM}{}", bearer(&own_secret));
    let body = format!("_url={}&a=1", target.url("/"));
    let sent = ask(&server, post("/dispatch", &fields, &body));
    let id = sent.fields.get("Hookah-Id").expect("an id");
    target.arrival();
    let resend = |secret| {
        let path = format!("/messages/{id}/resend");
        ask(&server, post(&path, &bearer(secret), "")).status
    };
    assert_eq!(resend(&app_secret), 403);
    target.has_no_more();
    assert_eq!(resend(&own_secret), 202);
    target.arrival();
}

#[test]
fn what_was_published_is_resent_only_by_whoever_may_publish_it() {
    let (app, app_secret) = token("app", "publish:a*");
    let (ops, ops_secret) = token("ops", "dispatch");
    let (all, all_secret) = token("all", "dispatch publish:*");
    let file = File::new(&[app, ops, all].concat());
    let server = file.server(&[]);
    let fields = format!("{FORM}{}", bearer(&app_secret));
    let sent = ask(&server, post("/dispatch", &fields, "_topic=a&x=1"));
    let id = sent.fields.get("Hookah-Id").expect("an id");
    let one = format!("/messages/{id}/resend");
    let resend = |path: &str, secret| ask(&server, post(path, &bearer(secret), ""));
    assert_eq!(resend(&one, &ops_secret).status, 403);
    let many = resend("/messages/resend?topic=a", &ops_secret);
    assert_eq!(many.status, 202, "{many:?}");
    assert!(many.body.contains("\"resent\":0"), "{many:?}");
    assert_eq!(resend(&one, &all_secret).status, 202);
    let many = resend("/messages/resend?topic=a&%6Cimit=1", &all_secret);
    assert!(many.body.contains("\"resent\":1"), "{many:?}");
}

/// Reads a stream until that comes, or its end.
fn read_to(client: &mut Client, part: &str) -> String {
    let mut read = String::new();
    while !read.contains(part) {
        match client.wire.some() {
            Some(bytes) => read += &String::from_utf8_lossy(&bytes),
            None => break,
        }
    }
    read
}

#[test]
fn a_token_that_is_taken_away_ends_its_streams_and_no_others() {
    let ((a, a_secret), (b, b_secret)) = (token("a", "subscribe:*"), token("b", "subscribe:*"));
    let (p, p_secret) = token("p", "publish:* read");
    let file = File::new(&[&*a, &*b, &*p].concat());
    let mut server = file.server(&[]);
    let [mut gone, mut stays] = [&a_secret, &b_secret].map(|secret| {
        let mut client = Client::connect(server.addr());
        let line = "/stream?topic=t&format=json";
        client.send(get(line, &bearer(secret)));
        assert!(read_to(&mut client, "\r\n\r\n").starts_with("HTTP/1.1 200"));
        client
    });
    // What is wrong changes nothing.
    file.says(&format!("{b}nonsense\n"));
    server.signal("HUP");
    let said = server.line_with("reload_failed what=tokens");
    assert!(said.contains("line 2: "), "{said}");
    file.says(&[&*b, &*p].concat());
    server.signal("HUP");
    let said = server.line_with("tokens_read");
    assert!(
        said.contains("tokens=2 new=0 gone=1 streams_ended=1"),
        "{said}"
    );
    let last = read_to(&mut gone, "0\r\n\r\n");
    assert!(
        last.contains("\"code\":6") && last.ends_with("0\r\n\r\n"),
        "{last}"
    );
    let fields = format!("{FORM}{}", bearer(&p_secret));
    assert_eq!(
        ask(&server, post("/dispatch", &fields, "_topic=t&a=1")).status,
        202
    );
    assert!(read_to(&mut stays, "\"a\":\"1\"").contains("\"a\":\"1\""));
    let again = get("/stream?topic=t", &bearer(&a_secret));
    assert_eq!(ask(&server, again).status, 401);
    let metrics = ask(&server, get("/metrics", &bearer(&p_secret))).body;
    assert!(
        metrics.contains("hookah_streams_revoked_total 1\n"),
        "{metrics}"
    );
    assert!(metrics.contains("hookah_tokens 2\n"), "{metrics}");
}

/// Queries with a secret where it belongs and where it does not.
const QUERIES: [&str; 9] = [
    "topic=t&poll=1&token=@",
    "topic=t&poll=1&access_token=@",
    "topic=t&token=@&token=@",
    "token=@",
    "topic=t&token=@&count=x",
    "topic=t&token=@&poll=1&format=xml",
    "topic=t&poll=1&token=@x",
    "topic=t&sig=@&exp=@&key=@",
    "topic=t&poll=1&token=%68@",
];
const WINDOWS: [&str; 5] = [
    "/metrics",
    "/messages",
    "/topics",
    "/subscriptions",
    "/lanes",
];

#[test]
fn no_secret_shows_in_logs_answers_and_windows() {
    let (line, secret) = token("all", "admin");
    let hash = line[11..75].to_owned();
    assert!(hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{line}");
    let file = File::new(&line);
    let mut server = file.server(&["--log", "trace"]);
    let mut answers = Vec::new();
    let mut say = |request: String| {
        let mut client = Client::connect(server.addr());
        client.send(request).finish();
        answers.push(String::from_utf8_lossy(&client.wire.rest()).into_owned());
    };
    let own = bearer(&secret);
    let target = Target::willing();
    let dispatch = |fields: &str| {
        let body = format!("_url={}&_forward_headers=1&_label=x&a=1", target.url("/"));
        let bytes = post("/dispatch", &format!("{FORM}{own}{fields}"), body);
        String::from_utf8(bytes).expect("text")
    };
    say(dispatch(""));
    say(dispatch("Idempotency-Key: k\r\n"));
    say(dispatch("Hookah-Retries: x\r\n"));
    for query in QUERIES {
        let query = query.replace('@', &secret);
        for fields in ["", &*own] {
            say(get(&format!("/stream?{query}"), fields));
        }
        for path in ["/nowhere", "/lanes"] {
            say(get(&format!("{path}?{query}"), ""));
        }
    }
    say(get("/lanes", &own.replace("Bearer", "Digest")));
    say(get("/lanes", &format!("{own}{own}")));
    say(get("/lanes", &own.replace(": ", ":\u{1}")));
    for window in WINDOWS.into_iter().chain(["/", "/flows"]) {
        say(get(window, &own));
    }
    for _ in 0..2 {
        let id = target.arrival();
        assert!(!format!("{:?}", id.fields).contains(&secret));
        let id = id.field("webhook-id").to_owned();
        say(get(&format!("/messages/{id}"), &own));
    }
    server.signal("HUP");
    server.line_with("tokens_read");
    server.signal("TERM");
    let (_, said) = server.wait();
    assert!(said.contains("tokens_read"), "the log was read");
    // A stream whose reader has finished sending is closed with nothing more to say.
    let told = answers.iter().filter(|it| it.starts_with("HTTP/1.1 "));
    assert!(told.count() > 40, "{answers:?}");
    for text in answers.iter().chain([&said]) {
        // A part of it is too much already.
        for part in [&secret[3..], &secret[3..20], &hash, &hash[..20]] {
            assert!(!text.contains(part), "{text}");
        }
    }
}
