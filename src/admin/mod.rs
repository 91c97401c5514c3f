//! Windows onto the server for people and machines: what it is, its counters.
//! It only reads; nothing here changes anything.

use std::fmt::Write;

use crate::base::stats::{Counter, Row, Stats};

pub mod flows;
pub mod lanes;
pub mod messages;
mod page;
pub mod subscriptions;
pub mod topics;

/// The text at `/`, for whoever asks with curl. `host` is the Host field of the request.
#[must_use]
pub fn about(host: &str) -> String {
    let host = if host.is_empty() {
        "127.0.0.1:8080"
    } else {
        host
    };
    format!(
        "Hookah {version}: webhooks with retry, a hub, live streams.\n\
         \n\
         Send a webhook; it is retried until the target takes it:\n\
         \x20 curl -d _url=http://localhost:9000/ -d hello=world http://{host}/dispatch\n\
         \n\
         Publish to a topic, read it live, or subscribe to it (WebSub, PubSubHubbub):\n\
         \x20 curl -d _topic=news -d title=hello http://{host}/dispatch\n\
         \x20 curl -N 'http://{host}/stream?topic=news'\n\
         \x20 curl -d hub.mode=subscribe -d hub.topic=news -d hub.callback=URL http://{host}/hub\n\
         \n\
         See how it goes:\n\
         \x20 curl http://{host}/lanes\n\
         \x20 curl http://{host}/subscriptions\n\
         \x20 curl http://{host}/metrics\n",
        version = env!("CARGO_PKG_VERSION"),
    )
}

/// All counters and gauges in Prometheus' text format, version 0.0.4.
#[must_use]
pub fn metrics(stats: &Stats) -> String {
    let mut text = String::with_capacity(8 << 10);
    for counter in Counter::ALL {
        let Row { kind, name, help } = counter.row();
        let (kind, value) = (kind.as_str(), stats.get(*counter));
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n"
        );
    }
    text
}
