//! Stories of whoever looks after subscriptions: how each of them does, and the end of some.

use super::*;
use crate::peers::{param, subscriber, subscriber_who};
use crate::target::{Act, ERROR, OK};

fn remove(server: &Server, query: &str) -> Answer {
    let request = format!("DELETE /subscriptions{query} HTTP/1.1\r\nHost: h\r\n\r\n");
    ask(server, &request)
}

#[test]
fn the_health_of_a_subscription_is_there_to_see() {
    let server = start(&["--hub-retry-schedule", "1h"]);
    let mut answers = vec![OK, ERROR].into_iter();
    let reader = subscriber_who(move |_| answers.next().map_or(Act::Hang, Act::from));
    subscribe(&server, "orders", &reader.url("/in"), "&hub.secret=hush");
    reader.arrival();
    active(&server, "orders");
    let fresh = row(&server, "orders");
    assert_eq!(fresh["callback"], reader.url("/in"));
    assert!(fresh["lease_ends"].as_str().unwrap().ends_with('Z'));
    assert_eq!(fresh["last_delivery"], Value::Null);
    post(&server, "/dispatch", FORM, "_topic=orders&a=1");
    reader.arrival();
    let well = quiet(&server, "orders");
    assert_eq!(
        (&well["last_status"], &well["failures"]),
        (&200.into(), &0.into())
    );
    assert!(well["last_delivery"].as_str().unwrap().ends_with('Z'));
    post(&server, "/dispatch", FORM, "_topic=orders&a=2");
    post(&server, "/dispatch", FORM, "_topic=orders&a=3");
    until("it has failed", || row(&server, "orders")["failures"] == 1);
    let ill = row(&server, "orders");
    assert_eq!(
        (&ill["last_status"], &ill["waiting"]),
        (&500.into(), &2.into())
    );
    assert!(!ill.to_string().contains("hush"), "{ill}");
}

#[test]
fn many_subscriptions_come_page_by_page() {
    let (server, reader) = (start(&[]), subscriber());
    for n in 0..5 {
        let topic = ["orders", "news"][n % 2];
        subscribe(&server, topic, &reader.url(&format!("/{n}")), "");
    }
    let page = |query: &str| {
        let answer = get(&server, &format!("/subscriptions?{query}"));
        serde_json::from_str::<Value>(&answer.body).expect("JSON")
    };
    let count = |page: &Value| page["subscriptions"].as_array().map_or(0, Vec::len);
    let mut query = "limit=2".to_owned();
    let mut seen = 0;
    loop {
        let page = page(&query);
        seen += count(&page);
        let Some(next) = page["next"].as_str() else {
            break;
        };
        query = format!("limit=2&cursor={next}");
    }
    assert_eq!(seen, 5);
    assert_eq!(count(&page("topic=orders")), 3);
    let callback = encoded(&reader.url("/1"));
    assert_eq!(count(&page(&format!("callback={callback}"))), 1);
    let nobody = page("topic=nobody");
    assert_eq!((count(&nobody), &nobody["next"]), (0, &Value::Null));
    assert_eq!(get(&server, "/subscriptions?limit=x").status, 400);
}

/// A topic that the operator removes is denied to its subscribers, who may ask again.
#[test]
fn the_operator_removes_a_topic() {
    let (server, reader, other) = (start(&[]), subscriber(), subscriber());
    subscribed(&server, "orders", &reader, "");
    subscribed(&server, "orders", &other, "");
    subscribed(&server, "news", &other, "");
    assert_eq!(remove(&server, "").status, 400);
    assert_eq!(remove(&server, "?topic=nobody").body, "{\"denied\":0}\n");
    let callback = encoded(&reader.url("/in"));
    let answer = remove(&server, &format!("?topic=orders&callback={callback}"));
    assert_eq!((answer.status, &*answer.body), (200, "{\"denied\":1}\n"));
    let told = reader.arrival();
    assert_eq!((&*told.method, &told.path[..3]), ("GET", "/in"));
    assert_eq!(param(&told, "hub.mode").as_deref(), Some("denied"));
    assert_eq!(param(&told, "hub.topic").as_deref(), Some("orders"));
    let reason = param(&told, "hub.reason");
    assert_eq!(reason.as_deref(), Some("removed by the operator"));
    assert_eq!(row(&server, "orders")["callback"], other.url("/in"));
    assert_eq!(remove(&server, "?topic=orders").body, "{\"denied\":1}\n");
    assert_eq!(
        param(&other.arrival(), "hub.topic").as_deref(),
        Some("orders")
    );
    assert_eq!(rows(&server, "news").len(), 1);
    subscribed(&server, "orders", &reader, "");
}
