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
    /// What became of a message.
    Messages,
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

const READ: &[Method] = &[Method::Get, Method::Head];

const ROUTES: &[Route] = &[
    Route {
        path: "/dispatch/batch",
        tail: false,
        methods: &[Method::Post],
        allow: "POST",
        help: "many of those at once: a JSON array, or one object on each line",
        handler: Handler::Batch,
    },
    Route {
        path: "/dispatch",
        tail: true,
        methods: &[Method::Post],
        allow: "POST",
        help: "queue a webhook (_url) or publish to a topic (_topic)",
        handler: Handler::Dispatch,
    },
    Route {
        path: "/stream",
        tail: false,
        methods: &[Method::Get, Method::Head, Method::Post, Method::Options],
        allow: "GET, HEAD, POST, OPTIONS",
        help: "read topics live (topic=NAME)",
        handler: Handler::Stream,
    },
    Route {
        path: "/hub",
        tail: false,
        methods: &[Method::Get, Method::Head, Method::Post],
        allow: "GET, HEAD, POST",
        help: "WebSub: subscribe, unsubscribe, publish (hub.mode)",
        handler: Handler::Hub(Half::Any),
    },
    Route {
        path: "/subscribe",
        tail: false,
        methods: &[Method::Post],
        allow: "POST",
        help: "the half of the hub for subscribers",
        handler: Handler::Hub(Half::Subscribe),
    },
    Route {
        path: "/publish",
        tail: false,
        methods: &[Method::Post],
        allow: "POST",
        help: "the half of the hub for publishers",
        handler: Handler::Hub(Half::Publish),
    },
    Route {
        path: "/subscriptions",
        tail: false,
        methods: &[Method::Get, Method::Head, Method::Delete],
        allow: "GET, HEAD, DELETE",
        help: "who subscribes to what (topic=, callback=, limit=N, cursor=N); DELETE denies it",
        handler: Handler::Subscriptions,
    },
    Route {
        path: "/topics",
        tail: false,
        methods: READ,
        allow: "GET, HEAD",
        help: "who reads what, and what is kept (limit=N, cursor=N)",
        handler: Handler::Topics,
    },
    Route {
        path: "/topics",
        tail: true,
        methods: &[Method::Get, Method::Head, Method::Delete],
        allow: "GET, HEAD, DELETE",
        help: "/topics/{name}, percent-encoded; DELETE ends its streams and drops its messages",
        handler: Handler::Topics,
    },
    Route {
        path: "/messages",
        tail: true,
        methods: READ,
        allow: "GET, HEAD",
        help: "what became of a message (/messages/msg_...)",
        handler: Handler::Messages,
    },
    Route {
        path: "/",
        tail: false,
        methods: READ,
        allow: "GET, HEAD",
        help: "a short text for people",
        handler: Handler::About,
    },
    Route {
        path: "/health",
        tail: false,
        methods: READ,
        allow: "GET, HEAD",
        help: "200 while the server runs, 503 while its store fails",
        handler: Handler::Health,
    },
    Route {
        path: "/ready",
        tail: false,
        methods: READ,
        allow: "GET, HEAD",
        help: "200 while messages are taken; 503 at the start, and while the store fails",
        handler: Handler::Ready,
    },
    Route {
        path: "/metrics",
        tail: false,
        methods: READ,
        allow: "GET, HEAD",
        help: "counters and gauges in Prometheus text",
        handler: Handler::Metrics,
    },
    Route {
        path: "/lanes",
        tail: false,
        methods: READ,
        allow: "GET, HEAD",
        help: "what waits and runs for each origin (limit=N, cursor=N)",
        handler: Handler::Lanes,
    },
    Route {
        path: "/lanes",
        tail: true,
        methods: &[Method::Post],
        allow: "POST",
        help: "/lanes/{origin}/pause and /resume, the origin percent-encoded",
        handler: Handler::Steer,
    },
    Route {
        path: "/flows",
        tail: false,
        methods: READ,
        allow: "GET, HEAD",
        help: "what rates and parallelism hold back (limit=N, cursor=N)",
        handler: Handler::Flows,
    },
    Route {
        path: "/queues",
        tail: false,
        methods: READ,
        allow: "GET, HEAD",
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
        if rest.is_empty() {
            return Some((route, None));
        }
        let tail = rest.strip_prefix('/').filter(|_| route.tail)?;
        Some((route, Some(tail)))
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
    }

    #[test]
    fn the_allow_text_is_the_list_of_methods() {
        for route in routes() {
            let names: Vec<_> = route.methods.iter().map(|method| method.as_str()).collect();
            assert_eq!(route.allow, names.join(", "), "{}", route.path);
        }
    }
}
