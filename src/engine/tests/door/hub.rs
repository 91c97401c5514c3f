//! The hub's door: what tokens guard there, and from whom.

use super::*;

/// WebSub is open for what stands at URLs; a plain name is known here alone.
#[test]
fn a_plain_topic_is_sent_only_to_subscribers_who_may_read_it() {
    let mut world = guarded(&[("pub", "publish:a*"), ("sub", "subscribe:a*")]);
    let mut subscribe = |topic: &str, fields: &str| {
        let body = format!(
            "hub.mode=subscribe&hub.topic={topic}&hub.callback=http://127.0.0.1:9001/{}",
            fields.len()
        );
        status(&world.ask("POST /hub", &format!("{FORM}{fields}"), &body))
    };
    assert_eq!(subscribe("a-private", ""), 401);
    assert_eq!(subscribe("a-private", &bearer("pub")), 403);
    assert_eq!(subscribe("b-private", &bearer("sub")), 403);
    assert_ne!(subscribe("a-private", &bearer("sub")), 403);
    assert_ne!(subscribe("https://example.org/feed", ""), 401);
    // One at a time to each host.
    assert_eq!(world.connects, [9_001]);
}

/// Behind a web server on this machine everybody seems to be here.
#[test]
fn with_tokens_being_here_is_no_right_to_name_private_addresses() {
    let mut settings = Settings {
        roll: Some(roll(&[
            ("own", "dispatch"),
            ("app", "dispatch targets=public"),
            ("sub", "hub subscribe:*"),
        ])),
        ..Settings::default()
    };
    settings.hub.strict_targets = true;
    let mut world = World::keeping(settings);
    world.visitor = NEAR;
    let body = "hub.mode=subscribe&hub.topic=https://example.org/feed&\
                hub.callback=http://127.0.0.1:9001/";
    let mut subscribe =
        |fields: &str| status(&world.ask("POST /hub", &format!("{FORM}{fields}"), body));
    for name in ["sub", "app"] {
        assert_eq!(subscribe(&bearer(name)), 403, "{name}");
    }
    assert_eq!(subscribe(""), 403);
    assert_ne!(subscribe(&bearer("own")), 403);
}

#[test]
fn who_may_not_read_is_not_shown_who_else_gets_a_message() {
    let mut world = guarded(&[
        ("sub", "subscribe:a"),
        ("pub", "publish:a"),
        ("all", "publish:a read"),
    ]);
    let subscribe = "hub.mode=subscribe&hub.topic=a&hub.callback=http://127.0.0.1:9001/secret";
    let fields = format!("{FORM}{}", bearer("sub"));
    world.ask("POST /hub", &fields, subscribe);
    world.confirm();
    let publish = |world: &mut World, name: &str| {
        let fields = format!("{FORM}Prefer: wait=5\r\n{}", bearer(name));
        world.ask("POST /dispatch", &fields, "_topic=a&x=1")
    };
    let at_once = publish(&mut world, "pub");
    assert!(at_once.starts_with("HTTP/1.1 202 "), "{at_once:?}");
    let held = publish(&mut world, "all");
    assert_eq!(held, "", "whoever may read waits for the end");
}
