//! What must hold for whatever is asked of the hub, and for whatever a publisher answers it.
//! One function for each fuzz target; nothing here invents input.

use hookah::http::target;
use hookah::hub::diff::{self, Diffed, Seen};
use hookah::hub::discover::{self, HUBS_MAX};
use hookah::hub::name::{self, Callback, TopicName};
use hookah::hub::request::{self, Asked, Half, Request};
use hookah::hub::settings::Leases;

/// A form to the hub: what is taken is within its bounds, is called at the host that the URL
/// standard sees, goes out byte for byte, and is never refused with the secret in the refusal.
pub fn hub_request(data: &[u8]) {
    let request = Request {
        content_type: None,
        query: None,
        body: data,
    };
    for half in [Half::Any, Half::Subscribe, Half::Publish] {
        match request::read(&request, half, &Leases::default()) {
            Err(problem) => assert!(problem.detail.len() < 1_000, "{problem:?}"),
            Ok(Asked::Subscribe(asked)) => {
                assert!((300..=2_592_000).contains(&asked.lease.granted));
                if let Some(seal) = &asked.seal {
                    assert!((1..200).contains(&seal.secret.len()));
                }
                topic(&asked.topic);
                callback(&asked.callback);
            }
            Ok(Asked::Unsubscribe(asked)) => {
                topic(&asked.topic);
                callback(&asked.callback);
            }
            Ok(Asked::Ping(topics)) => {
                assert!(!topics.is_empty());
                for (place, one) in topics.iter().enumerate().take(64) {
                    assert!(one.is_url());
                    topic(one);
                    let before = topics.iter().take(place);
                    assert!(before.clone().all(|other| other.key() != one.key()));
                }
            }
            Ok(Asked::Content(content)) => {
                assert!(!content.topic.given().starts_with('$'));
                assert!(!content.content_type.bytes().any(|byte| byte < b' '));
                topic(&content.topic);
            }
        }
    }
}

fn topic(topic: &TopicName) {
    let again = name::key(topic.key().as_bytes());
    assert_eq!(again, topic.key().as_bytes(), "the key of a key");
    assert_eq!(name::key(topic.given().as_bytes()), topic.key().as_bytes());
    assert_eq!(topic.target().is_some(), topic.is_url());
}

fn callback(callback: &Callback) {
    let (ours, text) = (&callback.target, callback.text());
    let theirs = target::parse(text).expect("what we take, they take");
    assert_eq!(ours.origin, theirs.origin, "{text}");
    assert_eq!(ours.addrs, theirs.addrs, "{text}");
    assert_eq!(ours.authorization, theirs.authorization, "{text}");
    assert!(ours.path.bytes().all(|byte| byte.is_ascii_graphic()));
    assert!(text.ends_with(ours.path.trim_start_matches('/')), "{text}");
    let asked = callback.path_with(&[("hub.topic", b"&=\0")]);
    assert!(asked.starts_with(&*ours.path) && asked.ends_with("hub.topic=%26%3D%00"));
}

/// The input is an answer, its head ended by the first empty line: whatever is found is a bounded
/// number of http or https URLs without a fragment.
pub fn hub_discover(data: &[u8]) {
    let end = data.windows(4).position(|four| four == b"\r\n\r\n");
    let (head, body) = data.split_at(end.map_or(data.len(), |at| at + 4));
    let found = discover::discover(head, body, "http://p.test/dir/feed");
    assert!(found.hubs.len() <= HUBS_MAX);
    for url in found.hubs.iter().chain(&found.own) {
        let start = url.get(..8).unwrap_or(url).to_ascii_lowercase();
        assert!(
            start.starts_with("http://") || start.starts_with("https://"),
            "{url}"
        );
        assert!(
            url.bytes()
                .all(|byte| byte.is_ascii_graphic() && byte != b'#'),
            "{url}"
        );
    }
}

/// A feed against itself: either nothing is known of it and it goes out whole, or all its entries
/// are left out, which leaves a feed that is whole in turn and made of the rest of its bytes.
pub fn hub_diff(data: &[u8]) {
    let (first, seen) = diff::diff(&Seen::default(), data);
    assert_eq!(first, Diffed::Full);
    match diff::diff(&seen, data) {
        (Diffed::Full, again) => assert!(seen == again && seen.bytes() == 0),
        (Diffed::Less(less), again) => {
            assert!(seen == again && seen.bytes() > 0);
            assert!(less.len() < data.len());
            let mut rest = data.iter();
            assert!(
                less.iter().all(|byte| rest.any(|it| it == byte)),
                "not its bytes"
            );
            let (bare, none) = diff::diff(&seen, &less);
            assert_eq!((bare, none.bytes()), (Diffed::Full, 0));
        }
    }
}
