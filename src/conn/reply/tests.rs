//! Tests of replies: what a 202 says in JSON.

use super::*;

#[test]
fn a_202_in_json_says_how_far_the_message_goes() {
    let body = |topics: &[&[u8]]| {
        let reach = Reach {
            topics: TopicNames::of(topics.iter().copied()),
            streams: 3,
            callbacks: 14,
        };
        let reach = (!topics.is_empty()).then_some(&reach);
        let body = String::from_utf8(accepted_json(MessageId(1), reach)).unwrap();
        let id = MessageId(1).to_string();
        let start = format!("{{\"id\":\"{id}\",\"status\":\"scheduled\"");
        body.strip_prefix(&start).unwrap().to_owned()
    };
    let counts = r#","streams":3,"callbacks":14}"#;
    assert_eq!(body(&[]), "}");
    assert_eq!(body(&[b"a"]), format!(r#","topic":"a"{counts}"#));
    assert_eq!(
        body(&[b"a", b"b"]),
        format!(r#","topic":["a","b"]{counts}"#)
    );
    let strange = body(&[b"say \"\xff\"\n"]);
    assert_eq!(
        strange,
        format!(",\"topic\":\"say \\\"\u{fffd}\\\"\\n\"{counts}")
    );
}
