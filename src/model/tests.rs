//! The nouns' own forms, there and back.

use super::*;

#[test]
fn a_topic_named_twice_is_one_topic() {
    let names: [&[u8]; 5] = [b"a", b"b", b"a", b"", b"b"];
    let held = TopicNames::of(names.into_iter());
    assert_eq!(held.iter().collect::<Vec<_>>(), [&b"a"[..], b"b", b""]);
}

#[test]
fn topics_are_read_back_whole_or_not_at_all() {
    let held = TopicNames::of([&b"a"[..], b"", b"news"].into_iter());
    let bytes = held.as_bytes();
    assert_eq!(TopicNames::from_bytes(bytes), Some(held.clone()));
    assert_eq!(TopicNames::from_bytes(b""), Some(TopicNames::default()));
    for cut in [1, 2, 4, 6, bytes.len() - 1] {
        let whole = [3, 5].contains(&cut);
        assert_eq!(
            TopicNames::from_bytes(&bytes[..cut]).is_some(),
            whole,
            "{cut}"
        );
    }
}

#[test]
fn a_target_shows_its_credentials_to_nobody() {
    let target = Target {
        origin: Origin {
            scheme: Scheme::Http,
            host: "h".into(),
            port: 80,
        },
        addrs: Box::default(),
        name: None,
        server_name: None,
        authority: "h".into(),
        path: "/".into(),
        authorization: Some("Basic c2VjcmV0".into()),
        url: "http://h/".into(),
        lane: 0,
    };
    let shown = format!("{target:?}");
    assert!(!shown.contains("c2VjcmV0"), "{shown}");
    assert!(shown.contains("http://h/"), "{shown}");
}
