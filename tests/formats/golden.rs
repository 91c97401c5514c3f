//! The golden files: what a table of messages, and everything around them, looks like on the wire.
//! A line of a file is a line on the wire, escaped.

use hookah::http::request::Version;
use hookah::http::write::How;
use hookah::model::MessageId;
use hookah::topics::format::{
    Code, Format, Framing, Head, Resume, Scratch, Style, come_back, payload,
};

use crate::message;

const FORM: &str = "application/x-www-form-urlencoded";
const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

/// What it is, topic, type, event's name, body.
type Row = (
    &'static str,
    &'static [u8],
    &'static str,
    Option<&'static str>,
    &'static [u8],
);

const ROWS: &[Row] = &[
    ("a form", b"t", FORM, None, b"a=1&b=%E2%9C%93"),
    (
        "a form with repeated, empty and nameless fields",
        b"t",
        FORM,
        None,
        b"b=2&a=1&b=3&&c&=x+y&a=%22%0D%0A",
    ),
    (
        "a form of other bytes than UTF-8",
        b"t",
        FORM,
        None,
        b"%E9=1&%EA=2&a=%FF",
    ),
    ("a form without fields", b"t", "", None, b""),
    ("an empty form", b"t", FORM, None, b""),
    (
        "a multipart body with a file",
        b"t",
        "multipart/form-data; boundary=b",
        None,
        b"--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n\
          --b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x.png\"\r\n\
          Content-Type: image/png\r\n\r\n\x89PNG\r\n\x1a\r\n\
          --b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\xe9\r\n--b--\r\n",
    ),
    (
        "a multipart body that breaks off",
        b"t",
        "multipart/form-data; boundary=b",
        None,
        b"--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1",
    ),
    (
        "a JSON object, to an event's name",
        b"https://example.com/a,b",
        "application/json",
        Some("user.created"),
        b"{\"a\": [1, 2.50], \"a\": null}",
    ),
    (
        "JSON with line breaks",
        b"t",
        "application/cloudevents+json; charset=utf-8",
        None,
        b"{\r\n\t\"a\": \"x\\r\\ny\",\n  \"b\": []\r}\r\n",
    ),
    (
        "JSON that is none",
        b"t",
        "application/json",
        None,
        b"{\"a\":\n1,}",
    ),
    (
        "text with line ends of every kind",
        b"t",
        "text/plain; charset=utf-8",
        None,
        "one\r\n\r\ntwo\nthree\r\"\\\t\u{1}✓\u{2028}\r\n".as_bytes(),
    ),
    ("bytes", b"t", "image/png", None, b"\x89PNG\r\n\x1a\n\x00"),
    ("no bytes", b"t", "text/plain", None, b""),
    (
        "a topic of other bytes than UTF-8",
        b"caf\xe9 \"x\"",
        FORM,
        None,
        b"a=1",
    ),
];

fn id() -> MessageId {
    MessageId::parse("msg_01KAQ6X0000000000000000000").expect("an id")
}

#[test]
fn messages() {
    let mut text = String::new();
    let mut scratch = Scratch::default();
    for (name, topic, media_type, event, body) in ROWS {
        text.push_str(&format!("# {name}\n"));
        let message = message(id(), media_type, *event, body);
        for format in Format::ALL {
            let frame = format.encode(&message, topic, &mut scratch);
            text.push_str(&format!("{format:?}\n{}", lines(&frame)));
            let chunk = payload(&frame);
            let header = format!("{:x}\r\n", chunk.len());
            assert_eq!(&*frame, [header.as_bytes(), chunk, b"\r\n"].concat());
        }
        text.push('\n');
    }
    compare("messages.txt", &text);
}

#[test]
fn everything_around_messages() {
    let mut text = String::new();
    for style in (0..Style::COUNT).map(Style::from_index) {
        let Style {
            format,
            framing,
            heartbeat,
        } = style;
        if heartbeat && !format.is_sse() {
            continue;
        }
        let visible = if heartbeat { ", heartbeat=event" } else { "" };
        text.push_str(&format!("# {format:?}, {framing:?}{visible}\n"));
        let mut show = |what: &str, bytes: &[u8]| {
            text.push_str(&format!("{what}\n{}", lines(bytes)));
        };
        show("head", &style.head(&plain_head()));
        show("keep-alive", style.keep_alive());
        for (what, payload) in notices(format) {
            show(what, &style.frame_notice(&payload));
        }
        show("terminator", style.terminator());
        text.push('\n');
    }
    compare("around.txt", &text);
}

fn plain_head() -> Head<'static> {
    Head {
        date: DATE,
        last: MessageId::default(),
        resume: None,
        origin: None,
        retry_ms: 3417,
        head_only: false,
        closes: false,
    }
}

fn notices(format: Format) -> [(&'static str, Vec<u8>); 3] {
    let (mut disconnect, mut warning, mut limit) = (Vec::new(), Vec::new(), Vec::new());
    format.retry(4_000, &mut disconnect);
    format.disconnect(Code::Shutdown, "a,\"b\"", &mut disconnect);
    format.warning(60, &mut warning);
    format.limit(12, &mut limit);
    [
        ("disconnect", disconnect),
        ("warning", warning),
        ("limit", limit),
    ]
}

#[test]
fn heads() {
    let style = |format, framing| Style {
        format,
        framing,
        heartbeat: false,
    };
    let mut text = String::new();
    let mut show = |what: &str, bytes: &[u8]| {
        text.push_str(&format!("# {what}\n{}\n", lines(bytes)));
    };
    let full = Head {
        last: id(),
        resume: Some(Resume::Continue),
        origin: Some("https://app.example"),
        ..plain_head()
    };
    let sse = style(Format::Sse, Framing::Chunked);
    show("all fields", &sse.head(&full));
    let reset = Head {
        resume: Some(Resume::Reset),
        origin: Some("*"),
        head_only: true,
        ..full
    };
    show("to a HEAD", &sse.head(&reset));
    let last = Head {
        closes: true,
        ..reset
    };
    show("to a HEAD, the line's last", &sse.head(&last));
    let anew = Head {
        resume: Some(Resume::New),
        head_only: true,
        ..plain_head()
    };
    let old = style(Format::Json, Framing::Plain);
    show("to a HEAD of HTTP/1.0", &old.head(&anew));
    for origin in [None, Some("https://app.example")] {
        let mut out = Vec::new();
        let how = How {
            keep_alive: origin.is_none(),
            version: Version::Http11,
            head_only: false,
            date: DATE,
            origin,
        };
        come_back(&mut out, 123_456, &how);
        show("no room for an event stream", &out);
    }
    compare("heads.txt", &text);
}

#[test]
fn codes_are_those_of_the_specification() {
    let known = Code::ALL.map(|code| format!("{} {}", code.number(), code.reason()));
    let wanted = "1 shutdown,4 stall,5 normal,6 token,7 admin,9 count,10 internal,12 shed";
    assert_eq!(known.join(","), wanted);
}

/// Each line of `bytes`, escaped, on a line of its own.
fn lines(bytes: &[u8]) -> String {
    let lines = bytes.split_inclusive(|byte| *byte == b'\n');
    let escape = |line: &[u8]| match std::str::from_utf8(line) {
        Ok(text) => text.escape_debug().to_string(),
        Err(_) => line.escape_ascii().to_string(),
    };
    // Quotes need no escape where nothing is quoted.
    let plain = |line: &[u8]| escape(line).replace("\\\"", "\"");
    lines.map(|line| format!("| {}\n", plain(line))).collect()
}

fn compare(file: &str, text: &str) {
    let path = format!("{}/tests/formats/{file}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("HOOKAH_WRITE_FORMATS").is_some() {
        std::fs::write(&path, text).expect("a golden file");
    }
    let golden = std::fs::read_to_string(&path).expect("a golden file");
    for (number, (have, want)) in text.lines().zip(golden.lines()).enumerate() {
        assert_eq!(have, want, "{file}:{}", number + 1);
    }
    assert_eq!(text.len(), golden.len(), "{file} has more or fewer lines");
}
