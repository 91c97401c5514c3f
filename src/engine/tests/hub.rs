//! The hub through the whole engine: its answers, its calls, and what it publishes.

use super::*;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
const TOPIC: &str = "http://127.0.0.1:9002/feed";

impl World {
    /// A server that listens on loopback alone.
    fn local() -> World {
        let mut world = World::new(Settings::default());
        let own = "127.0.0.1:8080".parse().unwrap();
        world.engine.listening(&[own]);
        world
    }

    fn post(&mut self, path: &str, form: &str) -> (Key, String) {
        let key = self.open();
        let kind = "Content-Type: application/x-www-form-urlencoded";
        let len = form.len();
        let text = format!(
            "POST {path} HTTP/1.1\r\nHost: h:1\r\n{kind}\r\nContent-Length: {len}\r\n\r\n{form}"
        );
        (key, self.say(key, &text))
    }

    fn get(&mut self, path: &str) -> String {
        let key = self.open();
        self.say(key, &format!("GET {path} HTTP/1.1\r\nHost: h:1\r\n\r\n"))
    }

    /// The latest line is connected; what goes out on it.
    fn dial(&mut self) -> (Key, String) {
        let line = *self.dialled.last().expect("a line");
        self.written.clear();
        self.engine.connected(self.now, line);
        self.turn();
        (line, self.sent(line))
    }

    /// What was written on that line of late.
    fn sent(&self, line: Key) -> String {
        let of_line = self.written.iter().filter(|(key, _)| *key == line);
        let bytes = of_line.flat_map(|(_, bytes)| bytes.clone()).collect();
        String::from_utf8(bytes).unwrap()
    }

    /// A subscriber at port 9001 says yes; the line to it.
    pub(super) fn confirm(&mut self) -> Key {
        let (line, request) = self.dial();
        let (_, rest) = request.split_once("hub.challenge=").expect("a challenge");
        let challenge = &rest[..43];
        self.say(
            line,
            &format!("HTTP/1.1 200 OK\r\nContent-Length: 43\r\n\r\n{challenge}"),
        );
        line
    }

    fn subscribed(more: &str) -> (World, Key) {
        let mut world = World::local();
        let (_, said) = world.post("/hub", &subscribe(more));
        assert!(said.starts_with("HTTP/1.1 202 "), "{said}");
        assert_eq!(world.connects, [9_001]);
        let line = world.confirm();
        (world, line)
    }
}

fn subscribe(more: &str) -> String {
    let callback = "http%3A%2F%2F127.0.0.1%3A9001%2Fin%3Fx%3D1";
    format!("hub.mode=subscribe&hub.topic={TOPIC}&hub.callback={callback}{more}")
}

#[test]
fn from_a_subscription_to_a_signed_notice() {
    let (mut world, subscriber) = World::subscribed("&hub.secret=s");
    let (_, said) = world.post("/publish", &format!("hub.mode=publish&hub.url={TOPIC}"));
    assert!(said.starts_with("HTTP/1.1 204 "), "{said}");
    assert_eq!(world.connects, [9_001, 9_002]);
    let (publisher, request) = world.dial();
    assert!(request.starts_with("GET /feed HTTP/1.1\r\n"), "{request}");
    let body = "Content-Type: text/x\r\nContent-Length: 3\r\n\r\nnew";
    world.say(publisher, &format!("HTTP/1.1 200 OK\r\n{body}"));
    let notice = world.sent(subscriber);
    assert!(notice.starts_with("POST /in?x=1 HTTP/1.1\r\n"), "{notice}");
    assert!(notice.ends_with("\r\n\r\nnew"), "{notice}");
    let link = format!("<http://h:1/hub>; rel=\"hub\", <{TOPIC}>; rel=\"self\"");
    for field in [
        "Content-Type: text/x",
        "X-Hub-Signature: sha256=",
        &format!("Link: {link}"),
    ] {
        assert!(
            notice.contains(&format!("\r\n{field}")),
            "{field}: {notice}"
        );
    }
    world.say(subscriber, OK);
    let shown = world.get("/subscriptions?topic=http://127.0.0.1:9002/feed");
    for part in [
        "\"state\":\"active\"",
        "\"last_status\":200",
        "\"waiting\":0",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert_eq!(world.engine.deliveries(), 0);
}

#[test]
fn a_message_for_a_topic_goes_to_its_callbacks() {
    let (mut world, subscriber) = World::subscribed("");
    let (_, said) = world.post("/dispatch", &format!("_topic={TOPIC}&hello=world"));
    assert!(said.starts_with("HTTP/1.1 202 "), "{said}");
    let notice = world.sent(subscriber);
    assert!(notice.ends_with("\r\n\r\nhello=world"), "{notice}");
    assert!(!notice.contains("X-Hub-Signature"), "{notice}");
}

#[test]
fn a_fat_ping_is_a_message_like_any_other() {
    let (mut world, subscriber) = World::subscribed("");
    let (_, said) = world.post(
        "/hub",
        &format!("hub.mode=publish&hub.topic={TOPIC}&hub.content=fat"),
    );
    assert!(said.starts_with("HTTP/1.1 202 "), "{said}");
    assert!(world.sent(subscriber).ends_with("\r\n\r\nfat"));
    let mut open = World::new(Settings::default());
    open.visitor = open.visitor.peer.into();
    let (_, said) = open.post("/hub", "hub.mode=publish&hub.topic=orders&hub.content=fat");
    assert!(said.starts_with("HTTP/1.1 403 "), "{said}");
    let mut settings = Settings::default();
    settings.hub.open = true;
    let mut open = World::new(settings);
    open.visitor = open.visitor.peer.into();
    let (_, said) = open.post("/hub", "hub.mode=publish&hub.topic=orders&hub.content=fat");
    assert!(said.starts_with("HTTP/1.1 202 "), "{said}");
}

/// Whoever is subscribed to may send what it likes; others must be heard all the same.
#[test]
fn what_topics_say_leaves_memory_for_messages() {
    let mut world = World::new(Settings {
        memory_bytes_max: 400_000,
        ..Settings::default()
    });
    world.engine.listening(&["127.0.0.1:8080".parse().unwrap()]);
    world.post("/hub", &subscribe(""));
    world.confirm();
    world.post("/publish", &format!("hub.mode=publish&hub.url={TOPIC}"));
    let (publisher, _) = world.dial();
    world.say(
        publisher,
        "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n",
    );
    for _ in 0..38 {
        if world.closed.contains(&publisher) {
            break;
        }
        world.say(publisher, &"x".repeat(10_000));
    }
    let (_, said) = world.post("/dispatch", &format!("_topic=a&b={}", "c".repeat(20_000)));
    assert!(said.starts_with("HTTP/1.1 202 "), "{said}");
}

/// Two servers that publish to each other what they get must not do so for ever.
#[test]
fn content_that_goes_round_and_round_is_refused() {
    let (mut world, subscriber) = World::subscribed("");
    let path = format!("/publish?hub.topic={TOPIC}");
    let mut publish = |hops: &str| {
        let key = world.open();
        let head = "Content-Type: text/plain\r\nContent-Length: 3\r\n\r\nfat";
        let text = format!("POST {path} HTTP/1.1\r\nHost: h:1\r\nHookah-Hops: {hops}\r\n{head}");
        (world.say(key, &text), world.sent(subscriber))
    };
    let (said, notice) = publish("4");
    assert!(said.starts_with("HTTP/1.1 202 "), "{said}");
    assert!(notice.contains("\r\nHookah-Hops: 5\r\n"), "{notice}");
    for hops in ["5", "x"] {
        let (said, notice) = publish(hops);
        assert!(said.starts_with("HTTP/1.1 400 "), "{said}");
        assert_eq!(notice, "");
    }
}

/// hub.md C27, from knob to wire.
#[test]
fn a_subscriber_that_had_the_last_version_gets_what_is_new_of_a_feed() {
    let mut settings = Settings::default();
    let rule = crate::hub::settings::TopicRule::parse("http://127.0.0.1:9002/");
    settings.hub.diff.extend(rule);
    let mut world = World::new(settings);
    world.engine.listening(&["127.0.0.1:8080".parse().unwrap()]);
    world.post("/hub", &subscribe("&hub.secret=s"));
    let subscriber = world.confirm();
    let feed = |ids: &[&str]| {
        let entry = |id: &&str| format!("<entry><id>{id}</id></entry>");
        let entries: String = ids.iter().map(entry).collect();
        format!("<feed xmlns='http://www.w3.org/2005/Atom'>{entries}</feed>")
    };
    let mut publisher = None;
    let mut publish = |ids: &[&str]| {
        world.written.clear();
        world.post("/publish", &format!("hub.mode=publish&hub.url={TOPIC}"));
        let line = *publisher.get_or_insert_with(|| world.dial().0);
        let (body, len) = (feed(ids), feed(ids).len());
        world.say(
            line,
            &format!("HTTP/1.1 200 OK\r\nContent-Length: {len}\r\n\r\n{body}"),
        );
        let notice = world.sent(subscriber);
        world.say(subscriber, OK);
        notice
    };
    assert!(publish(&["a"]).ends_with(&feed(&["a"])));
    let second = publish(&["b", "a"]);
    assert!(second.ends_with(&feed(&["b"])), "{second}");
    let length = format!("\r\nContent-Length: {}\r\n", feed(&["b"]).len());
    assert!(second.contains(&length), "{second}");
}

#[test]
fn an_operator_removes_a_topic_and_its_subscribers_are_told() {
    let (mut world, subscriber) = World::subscribed("");
    let key = world.open();
    let remove = |query: &str| format!("DELETE /subscriptions{query} HTTP/1.1\r\nHost: h\r\n\r\n");
    let said = world.say(key, &remove("?callback=http://127.0.0.1:9001/in"));
    assert!(said.starts_with("HTTP/1.1 400 "), "{said}");
    let said = world.say(key, &remove(&format!("?topic={TOPIC}")));
    assert!(said.ends_with("{\"denied\":1}\n"), "{said}");
    let told = world.sent(subscriber);
    assert!(
        told.starts_with("GET /in?x=1&hub.mode=denied&hub.topic="),
        "{told}"
    );
    assert!(world.get("/subscriptions").contains("\"subscriptions\":[]"));
}

#[test]
fn who_wants_to_be_verified_first_is_answered_when_it_is() {
    let mut world = World::local();
    let (client, said) = world.post("/subscribe", &subscribe("&hub.verify=sync"));
    assert_eq!(said, "");
    world.say(client, "GET /health HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(world.sent(client), "", "answers keep their order");
    world.confirm();
    let said = world.sent(client);
    assert!(said.starts_with("HTTP/1.1 204 "), "{said}");
    assert!(said.contains("HTTP/1.1 200 OK"), "{said}");
}

#[test]
fn who_waits_in_vain_gets_a_409() {
    let mut world = World::local();
    let (client, _) = world.post("/hub", &subscribe("&hub.verify=sync"));
    let (line, _) = world.dial();
    world.say(line, OK);
    let said = world.sent(client);
    assert!(said.starts_with("HTTP/1.1 409 "), "{said}");
    let (client, _) = world.post("/hub", &subscribe("&hub.verify=sync"));
    world.written.clear();
    world.pass(Duration::from_secs(10));
    assert!(world.sent(client).starts_with("HTTP/1.1 409 "));
}

#[test]
fn a_client_that_leaves_while_it_waits_harms_nothing() {
    let mut world = World::local();
    let (client, _) = world.post("/hub", &subscribe("&hub.verify=sync"));
    world.engine.ended(world.now, client, Ended::Reset);
    world.turn();
    world.confirm();
    assert!(world.get("/subscriptions").contains("\"state\":\"active\""));
}

#[test]
fn strangers_may_name_public_addresses_only() {
    let mut world = World::new(Settings::default());
    world.visitor = world.visitor.peer.into();
    let (_, said) = world.post("/hub", &subscribe(""));
    assert!(said.starts_with("HTTP/1.1 403 "), "{said}");
    assert!(world.connects.is_empty());
}

#[test]
fn the_hub_says_what_is_wrong_and_what_it_is() {
    let mut world = World::local();
    let (_, said) = world.post("/hub", "hub.mode=subscribe");
    assert!(said.starts_with("HTTP/1.1 400 "), "{said}");
    assert!(said.contains("\r\nContent-Type: text/plain"), "{said}");
    assert!(said.contains("hub."), "{said}");
    let said = world.get("/hub");
    assert!(
        said.starts_with("HTTP/1.1 200 ") && said.contains("WebSub"),
        "{said}"
    );
    assert!(world.get("/publish").starts_with("HTTP/1.1 405 "));
}

#[test]
fn what_the_store_loses_is_fetched_again() {
    let (mut world, subscriber) = World::subscribed("");
    world.post("/publish", &format!("hub.mode=publish&hub.url={TOPIC}"));
    let (publisher, _) = world.dial();
    world.stores = false;
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nnew";
    world.say(publisher, answer);
    let seq = world.engine.turn.handed.last();
    world.engine.stored(world.now, StoreDone::Failed(seq));
    world.turn();
    assert_eq!(world.sent(subscriber), "", "it is not durable");
    world.stores = true;
    world.written.clear();
    world.pass(Duration::from_secs(5));
    assert!(world.sent(publisher).starts_with("GET /feed "));
    world.say(publisher, answer);
    assert!(world.sent(subscriber).ends_with("\r\n\r\nnew"));
}
