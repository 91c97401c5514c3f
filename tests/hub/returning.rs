//! A hub that was killed and comes back with the same file.

use super::*;
use crate::folder::{Folder, kill};
use crate::peers::{signature, subscriber, subscriber_who};
use crate::target::{Act, OK};

#[test]
fn a_subscription_outlives_kill_9() {
    let (folder, reader) = (Folder::new(), subscriber());
    let server = folder.server(&[]);
    let more = "&hub.secret=s&hub.signature_method=sha256&hub.lease_seconds=864000";
    subscribed(&server, "orders", &reader, more);
    let before = row(&server, "orders");
    kill(server);
    let server = folder.server(&[]);
    let after = row(&server, "orders");
    for name in ["topic", "callback", "state", "expires"] {
        assert_eq!(after[name], before[name], "{name}");
    }
    post(&server, "/dispatch", FORM, "_topic=orders&a=1");
    let got = reader.arrival();
    assert_eq!((&*got.path, got.text()), ("/in", "a=1"));
    assert_eq!(
        got.field("X-Hub-Signature"),
        signature("sha256", "s", b"a=1")
    );
    quiet(&server, "orders");
    reader.has_no_more();
}

/// What was published and answered with 202 goes to the subscriber, whenever the server ended.
#[test]
fn what_was_published_before_kill_9_is_distributed_after_it() {
    let folder = Folder::new();
    let mut is_first = true;
    let reader = subscriber_who(move |_| match std::mem::take(&mut is_first) {
        true => Act::Hang,
        false => OK.into(),
    });
    let server = folder.server(&[]);
    subscribed(&server, "orders", &reader, "&hub.secret=s");
    for number in 0..3 {
        let form = format!("_topic=orders&a={number}");
        assert_eq!(post(&server, "/dispatch", FORM, &form).status, 202);
    }
    let held = reader.arrival();
    kill(server);
    let server = folder.server(&[]);
    for number in 0..3 {
        let got = reader.arrival();
        assert_eq!(got.text(), format!("a={number}"));
        if number == 0 {
            assert_eq!(got.field("X-Hub-Delivery"), held.field("X-Hub-Delivery"));
            assert_eq!(got.field("X-Hub-Signature"), held.field("X-Hub-Signature"));
        }
    }
    quiet(&server, "orders");
    reader.has_no_more();
}
