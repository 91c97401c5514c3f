//! How deliveries end can be read live, and nobody else can publish that.

use serde_json::Value;

use super::{ask, dispatch, schedule};
use crate::reader;
use crate::server::Server;
use crate::target::{Absent, OK, Target};

#[test]
fn outcomes_are_read_as_they_come() {
    let (server, absent) = (Server::start(), Absent::new());
    let target = Target::new(|_| OK.into());
    let mut stream = reader::lines(&server, "topic=$hookah/deliveries");
    let secret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";
    let url = target.url("/x").replace("http://", "http://user:hush@");
    let good = schedule(
        &server,
        &format!("_url={url}&_label=l&_secret={secret}&a=1"),
    );
    let text = stream.text();
    let told: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(
        (&told["id"], &told["outcome"]),
        (&Value::from(good), &"delivered".into())
    );
    assert_eq!(
        (&told["url"], &told["status"]),
        (&target.url("/x").into(), &200.into())
    );
    assert_eq!(
        (&told["label"], &told["attempts"]),
        (&"l".into(), &1.into())
    );
    assert!(!text.contains("hush") && !text.contains("whsec"), "{text}");
    let bad = schedule(&server, &format!("_url={}&_retries=0&a=1", absent.url("/")));
    let told: Value = serde_json::from_str(&stream.text()).expect("JSON");
    assert_eq!(
        (&told["id"], &told["outcome"]),
        (&Value::from(bad), &"failed".into())
    );
    assert_eq!(
        (&told["error"], &told["status"]),
        (&"connect".into(), &Value::Null)
    );
    let later = schedule(&server, &format!("_url={}&_delay=1h&a=1", absent.url("/")));
    assert_eq!(
        ask(&server, "DELETE", &format!("/messages/{later}")).status,
        200
    );
    let told: Value = serde_json::from_str(&stream.text()).expect("JSON");
    assert_eq!(
        (&told["id"], &told["outcome"]),
        (&Value::from(later), &"canceled".into())
    );
}

#[test]
fn who_reads_everything_does_not_read_of_outcomes_and_nobody_publishes_them() {
    let (server, target) = (Server::start(), Target::willing());
    let mut all = reader::lines(&server, "prefix=");
    let mut own = reader::lines(&server, "topic=$hookah/deliveries");
    schedule(&server, &format!("_url={}&a=1", target.url("/")));
    own.text();
    schedule(&server, "_topic=t&a=2");
    assert_eq!(all.text(), "a=2");
    let forged = dispatch(&server, "", "_topic=$hookah/deliveries&a=1").answer();
    assert_eq!(forged.status, 403, "{}", forged.body);
}
