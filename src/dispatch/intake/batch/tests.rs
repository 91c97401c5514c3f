//! Tests of batches: where messages lie, what each says, what is refused and where.

use httparse::Header;

use super::*;

const NOW: Wall = Wall(1_767_323_045_000_000);

fn submission<'a>(body: &'a [u8], headers: &'a [Header<'a>]) -> Submission<'a> {
    Submission {
        caller: Default::default(),
        tail: None,
        query: None,
        content_type: Some("application/json"),
        body,
        headers,
    }
}

fn found(body: &str) -> Result<Vec<&str>, String> {
    let mut scratch = Scratch::default();
    let items = items(&submission(body.as_bytes(), &[]), NOW, &mut scratch);
    let items = items.map_err(|why| why.detail.into_owned())?;
    Ok(items.into_iter().map(|range| &body[range]).collect())
}

#[test]
fn messages_are_elements_or_lines() {
    assert_eq!(
        found(" [ {\"a\":1} , 2,[3]]\n").unwrap(),
        ["{\"a\":1}", "2", "[3]"]
    );
    assert_eq!(found("[]").unwrap(), [""; 0]);
    assert_eq!(
        found("{\"a\":1}\r\n\n {}\n").unwrap(),
        ["{\"a\":1}\r", " {}"]
    );
    for (body, complaint) in [
        ("", "byte 0: an array of messages expected"),
        (" \n ", "byte 0: an array of messages expected"),
        ("[{}", "byte 3: it ends too early"),
        ("[{},]", "byte 4: a value expected"),
        ("[{}] x", "byte 5: something follows the value"),
        ("{}\n{\"a\" 1}\n", "line 2, byte 5: a colon expected"),
        ("{}\n\n{} {}", "line 3, byte 3: something follows the value"),
        ("a=b", "line 1, byte 0: a value expected"),
    ] {
        let why = found(body).unwrap_err();
        assert!(why.starts_with(complaint), "{body:?}: {why}");
    }
}

#[test]
fn a_batch_has_a_bound() {
    let body = |items: usize| format!("[{}0]", "0,".repeat(items - 1));
    assert_eq!(found(&body(ITEMS_MAX)).unwrap().len(), ITEMS_MAX);
    let why = found(&body(ITEMS_MAX + 1)).unwrap_err();
    assert!(why.contains("10000 messages"), "{why}");
    let lines = "{}\n".repeat(ITEMS_MAX + 1);
    assert!(found(&lines).unwrap_err().contains("10000 messages"));
}

/// The message as `method content-type|fields|body -> targets`.
fn shown(item: &str, headers: &[Header<'_>]) -> Result<String, String> {
    let mut scratch = Scratch::default();
    let submission = submission(b"", headers);
    let defaults = Settings::default();
    let read = read(&submission, item.as_bytes(), &defaults, NOW, &mut scratch);
    let intake = read.map_err(|why| format!("{:?} {}", why.reason, why.detail))?;
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let targets = intake.urls.bytes().chain(intake.topics.bytes());
    let targets: Vec<String> = targets.map(text).collect();
    let fields = text(intake.fields).replace("\r\n", ";");
    let (method, kind, body) = (
        intake.method.as_str(),
        intake.content_type,
        text(intake.body),
    );
    Ok(format!(
        "{method} {kind}|{fields}|{body} -> {}",
        targets.join(" ")
    ))
}

#[test]
fn a_message_says_what_it_is() {
    for (item, want) in [
        (r#"{"url":"http://h/"}"#, "POST ||| -> http://h/"),
        (
            r#"{"url":["http://a/","http://b/"],"topic":"t","body":{"x": [1]}}"#,
            "POST application/json||{\"x\": [1]} -> http://a/ http://b/ t",
        ),
        (
            r#"{"topic":["s","t"],"body":"say \"hi\"\u00e9","method":"put"}"#,
            "PUT text/plain; charset=utf-8||say \"hi\"é -> s t",
        ),
        (
            r#"{"topic":"t","body":12.5}"#,
            "POST application/json||12.5 -> t",
        ),
        (r#"{"topic":"t","body":null,"method":null}"#, "POST || -> t"),
        (
            r#"{"topic":"t","body_base64":"aGk="}"#,
            "POST application/octet-stream||hi -> t",
        ),
        (
            r#"{"topic":"t","body":"<a/>","headers":{"content-type":" text/xml ","X-A":"1"}}"#,
            "POST text/xml|;X-A: 1|<a/> -> t",
        ),
        (
            r#"{"_topic":"t","header":["X-A: 1","X-B: 2"]}"#,
            "POST |;X-A: 1;X-B: 2| -> t",
        ),
    ] {
        let want = want.replace("|||", "||");
        assert_eq!(shown(item, &[]).as_deref(), Ok(&*want), "{item}");
    }
}

#[test]
fn options_go_by_their_names() {
    let mut scratch = Scratch::default();
    let item = br#"{"topic":"t","retries":3,"retry-schedule":"1s,2s","_timeout":"1s",
        "idempotency_key":"k","label":"l"}"#;
    let defaults = Settings::default();
    let intake = read(&submission(b"", &[]), item, &defaults, NOW, &mut scratch).unwrap();
    let options = &intake.options;
    assert_eq!(options.retries, 3);
    assert_eq!(options.once.as_deref(), Some("k"));
    assert_eq!(options.label.as_deref(), Some("l"));
    assert_eq!(options.timeout.as_secs(), 1);
    assert!(options.schedule.is_some());
}

#[test]
fn what_a_message_cannot_say_is_named() {
    for (item, complaint) in [
        ("3", "BadOption a message is an object"),
        ("{}", "NoDestination"),
        (
            r#"{"url":"http://h/","boddy":1}"#,
            "BadOption a member: \"boddy\" is unknown",
        ),
        (
            r#"{"url":"http://h/","retries":"x"}"#,
            "BadOption retries: \"x\" is not a number",
        ),
        (
            r#"{"url":"http://h/","retries":[1]}"#,
            "BadOption retries: the member is not",
        ),
        (
            r#"{"url":"http://h/","body":1,"body_base64":""}"#,
            "BadOption body: there are two",
        ),
        (
            r#"{"url":"http://h/","body_base64":"?"}"#,
            "BadOption body_base64: ",
        ),
        (
            r#"{"url":"http://h/","body_base64":7}"#,
            "BadOption body_base64: ",
        ),
        (
            r#"{"url":"http://h/","body":"\ud800"}"#,
            "BadOption body: half",
        ),
        (
            r#"{"url":"http://h/","headers":[]}"#,
            "BadOption headers: it is no object",
        ),
        (
            r#"{"url":"http://h/","headers":{"Host":"x"}}"#,
            "BadOption headers: \"Host\" is not",
        ),
        (
            r#"{"url":"http://h/","headers":{"X":1}}"#,
            "BadOption headers: \"X\" is no string",
        ),
        (
            r#"{"url":"http://h/","headers":{"Content-Type":"a","content-type":"b"}}"#,
            "BadOption headers: \"content-type\" is given twice",
        ),
        (r#"{"topic":"$t"}"#, "ReservedTopic"),
    ] {
        let why = shown(item, &[]).unwrap_err();
        assert!(why.starts_with(complaint), "{item}: {why}");
    }
}

#[test]
fn what_the_request_says_goes_for_each() {
    let header = |name: &'static str, value: &'static str| Header {
        name,
        value: value.as_bytes(),
    };
    let headers = [
        header("Hookah-Method", "PUT"),
        header("Hookah-Topic", "all"),
        header("traceparent", "00-1-2-00"),
    ];
    let got = shown(r#"{"url":"http://h/","method":"DELETE"}"#, &headers);
    assert_eq!(got.unwrap(), "PUT |;traceparent: 00-1-2-00| -> all");
    let refused = |headers: &[Header<'_>], query| {
        let submission = Submission {
            caller: Default::default(),
            query,
            ..submission(b"[]", headers)
        };
        items(&submission, NOW, &mut Scratch::default()).unwrap_err()
    };
    let why = refused(&[header("Idempotency-Key", "k")], None);
    assert!(why.detail.contains("of each"), "{}", why.detail);
    assert_eq!(
        refused(&[header("Hookah-Retries", "x")], None).reason,
        Reason::BadOption
    );
    assert_eq!(refused(&[], Some("a=b")).reason, Reason::BadQuery);
}
