//! The routing table: one row per endpoint, from which 404, 405 with Allow, and the help follow.
//! It knows paths and methods, and never what a handler does.

use crate::hub::request::Half;
use crate::model::Method;

/// An endpoint.
#[derive(Debug)]
pub struct Route {
    /// The path. With `tail`, everything below it too.
    pub path: &'static str,
    /// Whether what follows the path and a slash belongs to it.
    pub tail: bool,
    /// What that ends with; empty for anything.
    pub ends: &'static str,
    /// Methods that are allowed.
    pub methods: &'static [Method],
    /// The same as the Allow field has them.
    pub allow: &'static str,
    /// One line for people.
    pub help: &'static str,
    pub(super) handler: Handler,
}

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Handler {
    /// What this is.
    About,
    /// A webhook or a message for a topic.
    Dispatch,
    /// Many of them.
    Batch,
    /// A live stream of a topic.
    Stream,
    /// The hub, or a half of it.
    Hub(Half),
    /// The subscriptions.
    Subscriptions,
    /// The topics, or one of them.
    Topics,
    /// Messages that are searched for.
    Messages,
    /// What became of a message, or that it is called off.
    Message,
    /// A message once more.
    Resend,
    /// Many messages once more.
    ResendMany,
    /// Whether it runs.
    Health,
    /// Whether it takes messages.
    Ready,
    /// Counters.
    Metrics,
    /// The lanes.
    Lanes,
    /// A pause, or its end.
    Steer,
    /// The flows.
    Flows,
    /// The queues.
    Queues,
}

const READ: &[Method] = &[Method::Get, Method::Head, Method::Options];

/// What is allowed somewhere.
pub(super) const ALLOW_ALL: &str = "GET, HEAD, POST, DELETE, OPTIONS";

const ROUTES: &[Route] = &[
    Route {
        path: "/dispatch/batch",
        tail: false,
        ends: "",
        methods: &[Method::Post, Method::Options],
        allow: "POST, OPTIONS",
        help: "many of those at once: a JSON array, or one object on each line",
        handler: Handler::Batch,
    },
    Route {
        path: "/dispatch",
        tail: true,
        ends: "",
        methods: &[Method::Post, Method::Options],
        allow: "POST, OPTIONS",
        help: "queue a webhook (_url) or publish to a topic (_topic)",
        handler: Handler::Dispatch,
    },
    Route {
        path: "/stream",
        tail: false,
        ends: "",
        methods: &[Method::Get, Method::Head, Method::Post, Method::Options],
        allow: "GET, HEAD, POST, OPTIONS",
        help: "read topics live (topic=NAME)",
        handler: Handler::Stream,
    },
    Route {
        path: "/hub",
        tail: false,
        ends: "",
        methods: &[Method::Get, Method::Head, Method::Post, Method::Options],
        allow: "GET, HEAD, POST, OPTIONS",
        help: "WebSub: subscribe, unsubscribe, publish (hub.mode)",
        handler: Handler::Hub(Half::Any),
    },
    Route {
        path: "/subscribe",
        tail: false,
        ends: "",
        methods: &[Method::Post, Method::Options],
        allow: "POST, OPTIONS",
        help: "the half of the hub for subscribers",
        handler: Handler::Hub(Half::Subscribe),
    },
    Route {
        path: "/publish",
        tail: false,
        ends: "",
        methods: &[Method::Post, Method::Options],
        allow: "POST, OPTIONS",
        help: "the half of the hub for publishers",
        handler: Handler::Hub(Half::Publish),
    },
    Route {
        path: "/subscriptions",
        tail: false,
        ends: "",
        methods: &[Method::Get, Method::Head, Method::Delete, Method::Options],
        allow: "GET, HEAD, DELETE, OPTIONS",
        help: "who subscribes to what (topic=, callback=, limit=N, cursor=N); DELETE denies it",
        handler: Handler::Subscriptions,
    },
    Route {
        path: "/topics",
        tail: false,
        ends: "",
        methods: READ,
        allow: "GET, HEAD, OPTIONS",
        help: "who reads what, and what is kept (limit=N, cursor=N)",
        handler: Handler::Topics,
    },
    Route {
        path: "/topics",
        tail: true,
        ends: "",
        methods: &[Method::Get, Method::Head, Method::Delete, Method::Options],
        allow: "GET, HEAD, DELETE, OPTIONS",
        help: "/topics/{name}, percent-encoded; DELETE ends its streams and drops its messages",
        handler: Handler::Topics,
    },
    Route {
        path: "/messages",
        tail: false,
        ends: "",
        methods: READ,
        allow: "GET, HEAD, OPTIONS",
        help: "messages, the newest first (status=, topic=, url=, label=, since=, until=, limit=N, \
               cursor=ID)",
        handler: Handler::Messages,
    },
    Route {
        path: "/messages/resend",
        tail: false,
        ends: "",
        methods: &[Method::Post, Method::Options],
        allow: "POST, OPTIONS",
        help: "resend those that such a search finds, up to 1000 at once",
        handler: Handler::ResendMany,
    },
    Route {
        path: "/messages",
        tail: true,
        ends: "/resend",
        methods: &[Method::Post, Method::Options],
        allow: "POST, OPTIONS",
        help: "/messages/{id}/resend: resend one, as a new message",
        handler: Handler::Resend,
    },
    Route {
        path: "/messages",
        tail: true,
        ends: "",
        methods: &[Method::Get, Method::Head, Method::Delete, Method::Options],
        allow: "GET, HEAD, DELETE, OPTIONS",
        help: "/messages/{id}: what became of it (wait=30s); DELETE cancels what is not delivered",
        handler: Handler::Message,
    },
    Route {
        path: "/",
        tail: false,
        ends: "",
        methods: READ,
        allow: "GET, HEAD, OPTIONS",
        help: "a short text for people",
        handler: Handler::About,
    },
    Route {
        path: "/health",
        tail: false,
        ends: "",
        methods: READ,
        allow: "GET, HEAD, OPTIONS",
        help: "200 while the server runs, 503 while its store fails",
        handler: Handler::Health,
    },
    Route {
        path: "/ready",
        tail: false,
        ends: "",
        methods: READ,
        allow: "GET, HEAD, OPTIONS",
        help: "200 while messages are taken; 503 at the start, and while the store fails",
        handler: Handler::Ready,
    },
    Route {
        path: "/metrics",
        tail: false,
        ends: "",
        methods: READ,
        allow: "GET, HEAD, OPTIONS",
        help: "counters and gauges in Prometheus text",
        handler: Handler::Metrics,
    },
    Route {
        path: "/lanes",
        tail: false,
        ends: "",
        methods: READ,
        allow: "GET, HEAD, OPTIONS",
        help: "what waits and runs for each origin (limit=N, cursor=N)",
        handler: Handler::Lanes,
    },
    Route {
        path: "/lanes",
        tail: true,
        ends: "",
        methods: &[Method::Post, Method::Options],
        allow: "POST, OPTIONS",
        help: "/lanes/{origin}/pause and /resume, the origin percent-encoded",
        handler: Handler::Steer,
    },
    Route {
        path: "/flows",
        tail: false,
        ends: "",
        methods: READ,
        allow: "GET, HEAD, OPTIONS",
        help: "what rates and parallelism hold back (limit=N, cursor=N)",
        handler: Handler::Flows,
    },
    Route {
        path: "/queues",
        tail: false,
        ends: "",
        methods: READ,
        allow: "GET, HEAD, OPTIONS",
        help: "queues and the first of each (limit=N, cursor=N)",
        handler: Handler::Queues,
    },
];

/// All endpoints, for help and reference.
#[must_use]
pub fn routes() -> &'static [Route] {
    ROUTES
}

/// The endpoint of a path, and what follows it if it takes a tail.
pub(super) fn find(path: &str) -> Option<(&'static Route, Option<&str>)> {
    ROUTES.iter().find_map(|route| {
        let rest = path.strip_prefix(route.path)?;
        if rest.is_empty() && route.ends.is_empty() {
            return Some((route, None));
        }
        let tail = rest.strip_prefix('/').filter(|_| route.tail)?;
        tail.ends_with(route.ends).then_some((route, Some(tail)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_their_rows() {
        let found = |path| find(path).map(|(route, tail)| (route.handler, tail));
        assert_eq!(found("/"), Some((Handler::About, None)));
        assert_eq!(found("/dispatch"), Some((Handler::Dispatch, None)));
        assert_eq!(found("/dispatch/"), Some((Handler::Dispatch, Some(""))));
        assert_eq!(
            found("/dispatch/aHR0"),
            Some((Handler::Dispatch, Some("aHR0")))
        );
        assert_eq!(found("/dispatch/batch"), Some((Handler::Batch, None)));
        assert_eq!(
            found("/dispatch/batch/"),
            Some((Handler::Dispatch, Some("batch/")))
        );
        assert_eq!(found("/dispatcher"), None);
        assert_eq!(found("/health/"), None);
        assert_eq!(found("/lanes"), Some((Handler::Lanes, None)));
        assert_eq!(
            found("/lanes/http%3A%2F%2Fa/pause"),
            Some((Handler::Steer, Some("http%3A%2F%2Fa/pause")))
        );
        assert_eq!(found("*"), None);
        assert_eq!(found("/messages"), Some((Handler::Messages, None)));
        assert_eq!(found("/messages/"), Some((Handler::Message, Some(""))));
        assert_eq!(found("/messages/resend"), Some((Handler::ResendMany, None)));
        assert_eq!(
            found("/messages/msg_1/resend"),
            Some((Handler::Resend, Some("msg_1/resend")))
        );
    }

    #[test]
    fn the_allow_text_is_the_list_of_methods() {
        for route in routes() {
            let names: Vec<_> = route.methods.iter().map(|method| method.as_str()).collect();
            assert_eq!(route.allow, names.join(", "), "{}", route.path);
            let known = |name: &&str| ALLOW_ALL.split(", ").any(|it| it == *name);
            assert!(names.iter().all(known), "{}", route.path);
        }
    }
}
