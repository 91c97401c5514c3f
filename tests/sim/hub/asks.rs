//! Requests to the hub: how they are put, and which answers are right.
//! Nothing here knows what the engine holds.

use super::{Hub, pair};
use crate::clients::{Client, Want};
use crate::http::Message;
use crate::publication::Publication;
use crate::script::Step;
use crate::sim::Sim;

/// Which version of the protocol a subscriber speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaks {
    /// WebSub.
    WebSub,
    /// 0.3, and is content to be asked later.
    Async,
    /// 0.3, and waits.
    Sync,
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    /// The end of it.
    pub end: bool,
    /// Seconds.
    pub lease: Option<u64>,
    /// Deliveries are to be signed, by that method if one is named.
    pub signed: Option<&'static str>,
    /// The version.
    pub speaks: Speaks,
    /// A token is to be repeated.
    pub token: bool,
    /// From this machine, or a stranger's.
    pub local: bool,
    /// The client leaves before its answer.
    pub leaves: bool,
}

/// A plain subscription.
pub const PLAIN: Wish = Wish {
    end: false,
    lease: None,
    signed: Some(""),
    speaks: Speaks::WebSub,
    token: false,
    local: true,
    leaves: false,
};

/// A request that was put, or will be.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Whose.
    pub subscriber: usize,
    /// What.
    pub wish: Wish,
    /// Seconds that must be granted.
    pub granted: u64,
    /// Not before that time.
    pub from: u64,
    /// When it was answered, and with what status.
    pub answered: Option<(u64, u16)>,
}

impl Ask {
    /// Whether it was refused, so that nothing came of it.
    pub fn is_refused(&self) -> bool {
        let refused = |status| status >= 400 && status != 409;
        self.answered.is_some_and(|(_, status)| refused(status))
    }

    /// Whether it was refused for the store has failed, which may have it all the same: what was
    /// asked for is a fact, which the store repeats, and whoever asked is asked back.
    pub fn is_doubtful(&self) -> bool {
        self.answered.is_some_and(|(_, status)| status == 503)
    }
}

/// A ping that was sent, or will be.
#[derive(Clone, Debug)]
pub struct Ping {
    /// The topics.
    pub topics: Vec<usize>,
    /// Not before that time.
    pub from: u64,
    /// When it was answered with 204.
    pub taken: Option<u64>,
}

/// The secret of a request.
pub fn secret(ask: usize) -> String {
    format!("secret {ask} & more")
}

/// The token of a request.
pub fn token(ask: usize) -> String {
    format!("token {ask}+%")
}

/// The method that its deliveries are signed with.
pub fn method(wish: &Wish) -> Option<&'static str> {
    match (wish.signed?, wish.speaks) {
        ("", Speaks::WebSub) => Some("sha256"),
        ("", _) => Some("sha1"),
        (named, _) => Some(named),
    }
}

/// A POST to the hub.
pub fn post(path: &str, form: &str) -> Step {
    let head = format!("POST {path} HTTP/1.1\r\nHost: hub.sim\r\n");
    let kind = "Content-Type: application/x-www-form-urlencoded\r\n";
    let length = form.len();
    Step::Send(format!("{head}{kind}Content-Length: {length}\r\n\r\n{form}").into_bytes())
}

impl Sim {
    /// A subscriber asks for that after `delay`; the request's number.
    pub fn ask(&mut self, delay: u64, subscriber: usize, mut wish: Wish) -> usize {
        let number = self.hub.asks.len();
        // Each can be told by the lease that it is granted.
        while !wish.end && self.hub.is_taken(subscriber, wish.lease) {
            let granted = self.hub.granted(wish.lease);
            wish.lease = Some(if granted < 1_000_000 { granted + 1 } else { 2 });
        }
        let form = self.hub.form(subscriber, number, &wish);
        let mut steps = vec![post("/hub", &form)];
        steps.extend(match wish.leaves {
            true => [Step::Wait(1_000), Step::Reset],
            false => [Step::Answers(1), Step::Close],
        });
        let mut client = Client::new(steps, vec![Want::Hub(number)]);
        client.lossy = wish.leaves;
        if !wish.local {
            client.ip = [192, 168, 7, 7].into();
        }
        self.hub.asks.push(Ask {
            subscriber,
            wish,
            granted: self.hub.granted(wish.lease),
            from: self.world.at() + delay,
            answered: None,
        });
        self.client(delay, client);
        number
    }

    /// Somebody pings so often after `delay`, all in one go.
    pub fn ping(&mut self, delay: u64, topics: &[usize], times: usize) {
        let (mut steps, mut wants) = (Vec::new(), Vec::new());
        for time in 0..times {
            let names = ["hub.url", "hub.topic", "hub.url[]"];
            let parts = topics.iter().enumerate().map(|(place, topic)| {
                pair(names[(place + time) % 3], &self.hub.topics[*topic].key)
            });
            let form = parts.fold("hub.mode=publish".to_owned(), |form, part| {
                form + "&" + &part
            });
            steps.push(post(["/hub", "/publish"][time % 2], &form));
            wants.push(Want::Ping(self.hub.book.pings.len()));
            self.hub.book.pings.push(Ping {
                topics: topics.to_vec(),
                from: self.world.at() + delay,
                taken: None,
            });
        }
        steps.extend([Step::Answers(times), Step::Close]);
        self.client(delay, Client::new(steps, wants));
    }

    /// A topic says something else from now on.
    pub fn change(&mut self, topic: usize, filler: usize) {
        let at = self.world.at();
        let bodies = self.hub.topics[topic].change(at, filler);
        let key = self.hub.topics[topic].key.clone();
        for body in bodies {
            let publication = Publication::form(std::slice::from_ref(&key), body, false);
            self.oracle.feeds.publish(publication);
        }
    }

    /// Somebody publishes content to a topic, through the hub or not.
    pub fn push(&mut self, delay: u64, topic: usize, by_hub: bool) {
        let key = self.hub.topics[topic].key.clone();
        let (step, number) = match by_hub {
            true => {
                let number = self.oracle.feeds.publications.len();
                let body = format!("n={number}&x=hub");
                let (topic, content) = (pair("hub.topic", &key), pair("hub.content", &body));
                let publication = Publication::form(&[key], body.into(), false);
                self.oracle.feeds.publish(publication);
                let form = format!("hub.mode=publish&{topic}&{content}");
                (post("/hub", &form), number)
            }
            false => crate::crowd::publish(self, &[key], 20),
        };
        let steps = vec![step, Step::Answers(1), Step::Close];
        self.client(delay, Client::new(steps, vec![Want::Published(number)]));
    }
}

impl Hub {
    fn is_taken(&self, subscriber: usize, lease: Option<u64>) -> bool {
        let mut others = self.asks.iter();
        let granted = self.granted(lease);
        others.any(|ask| ask.subscriber == subscriber && !ask.wish.end && ask.granted == granted)
    }

    fn form(&self, subscriber: usize, number: usize, wish: &Wish) -> String {
        let subscriber = &self.subscribers[subscriber];
        let mode = if wish.end { "unsubscribe" } else { "subscribe" };
        let mut form = vec![
            pair("hub.mode", mode),
            pair("hub.callback", &subscriber.callback()),
            pair("hub.topic", &subscriber.spelling),
            pair("foo", "bar"),
        ];
        if let Some(lease) = wish.lease {
            form.push(pair("hub.lease_seconds", &lease.to_string()));
        }
        if let Some(method) = wish.signed {
            form.push(pair("hub.secret", &secret(number)));
            if !method.is_empty() {
                form.push(pair("hub.signature_method", method));
            }
        }
        match wish.speaks {
            Speaks::WebSub => {}
            Speaks::Async => form.push(pair("hub.verify", "async,sync")),
            Speaks::Sync => form.push(pair("hub.verify", "sync")),
        }
        if wish.token {
            form.push(pair("hub.verify_token", &token(number)));
        }
        form.join("&")
    }

    /// The answer to a request has come.
    pub fn answered(&mut self, at: u64, number: usize, answer: &Message) {
        let status = answer.status;
        self.asks[number].answered = Some((at, status));
        let ask = &self.asks[number];
        let subscriber = &self.subscribers[ask.subscriber];
        let mut hosts = vec![subscriber.host];
        if !ask.wish.end {
            hosts.extend(self.topics[subscriber.topic].host);
        }
        let forbidden = !ask.wish.local && hosts.iter().any(|host| self.hosts[*host].local);
        let right = match status {
            202 => !forbidden && ask.wish.speaks != Speaks::Sync,
            204 => !forbidden && ask.wish.speaks == Speaks::Sync && self.is_confirmed(number),
            409 => !forbidden && ask.wish.speaks == Speaks::Sync,
            403 => forbidden,
            429 => !ask.wish.local,
            503 => self.lossy,
            _ => false,
        };
        assert!(right, "{ask:?} was answered {answer:?}");
        if status == 409 {
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            let before = self.book.refusal.get_or_insert_with(|| text.clone());
            assert_eq!(*before, text, "failures look alike");
        }
        if [429, 503].contains(&status) {
            assert!(answer.field("retry-after").is_some(), "{answer:?}");
        }
    }

    /// The answer to a ping has come.
    pub fn ponged(&mut self, at: u64, number: usize, answer: &Message) {
        let ping = &mut self.book.pings[number];
        match answer.status {
            204 => ping.taken = Some(at),
            503 => assert!(self.lossy, "{ping:?}: {answer:?}"),
            _ => panic!("{ping:?} was answered {answer:?}"),
        }
    }
}
