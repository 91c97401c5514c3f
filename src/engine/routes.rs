//! The routing table: one row per endpoint, from which 404, 405 with Allow, and the help follow.
//! It knows paths and methods, and never what a handler does.

use crate::access::Right;
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
    /// What whoever only looks needs.
    pub(super) look: Needs,
    /// What whoever changes something needs: POST and DELETE.
    pub(super) change: Needs,
    /// Whether what it answers rests on what is kept, so that it waits for the store's word.
    pub(super) store: Store,
    pub(super) handler: Handler,
}

/// What an endpoint needs of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Store {
    /// Nothing: it is right without it, or asks itself once it has the body.
    Unneeded,
    /// All that it keeps.
    Read,
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

/// What a request needs of whoever makes it, as far as its head tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    /// Nothing: nobody is asked who it is.
    Nothing,
    /// That what it shows is right, if it shows anything.
    Known,
    /// The right to send anything at all.
    Send,
    /// The right to read anything at all as a stream.
    Stream,
    /// `dispatch`.
    Dispatch,
    /// `read`.
    Read,
    /// `admin`.
    Admin,
}

impl Needs {
    fn text(self) -> &'static str {
        match self {
            Needs::Nothing => "open",
            Needs::Known => "open, but not to wrong tokens",
            Needs::Send => "`dispatch` for URLs, `publish:` for topics",
            Needs::Stream => "`subscribe:`",
            Needs::Dispatch => "`dispatch`",
            Needs::Read => "`read`",
            Needs::Admin => "`admin`",
        }
    }

    /// The right, if it takes one.
    pub(super) fn right(self) -> Option<Right<'static>> {
        match self {
            Needs::Nothing | Needs::Known => None,
            Needs::Send => Some(Right::Send),
            Needs::Stream => Some(Right::Stream),
            Needs::Dispatch => Some(Right::Dispatch),
            Needs::Read => Some(Right::Read),
            Needs::Admin => Some(Right::Admin),
        }
    }
}

impl Route {
    /// What one needs if there are tokens, in words.
    #[must_use]
    pub fn rights(&self) -> String {
        let looks = self.methods.contains(&Method::Get);
        let changes = self.methods.iter().find(|it| {
            let method = **it;
            !READ.contains(it) && self.needs(method) == self.change
        });
        match (looks, changes) {
            (true, Some(method)) if self.look != self.change => {
                format!(
                    "{}; {} {}",
                    self.look.text(),
                    method.as_str(),
                    self.change.text()
                )
            }
            (true, _) => self.look.text().to_owned(),
            (false, _) => self.change.text().to_owned(),
        }
    }

    /// Whether a request with that method can only be answered once the store has said what was
    /// before.
    pub(super) fn needs_store(&self, method: Method) -> bool {
        match self.store {
            Store::Unneeded => false,
            Store::Read => method != Method::Options,
        }
    }

    /// What a request with that method needs.
    pub(super) fn needs(&self, method: Method) -> Needs {
        match method {
            Method::Get | Method::Head => self.look,
            // What may be asked here is no secret.
            Method::Options => Needs::Nothing,
            _ => self.change,
        }
    }
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
        look: Needs::Known,
        change: Needs::Send,
        store: Store::Unneeded,
        handler: Handler::Batch,
    },
    Route {
        path: "/dispatch",
        tail: true,
        ends: "",
        methods: &[Method::Post, Method::Options],
        allow: "POST, OPTIONS",
        help: "queue a webhook (_url) or publish to a topic (_topic)",
        look: Needs::Known,
        change: Needs::Send,
        store: Store::Unneeded,
        handler: Handler::Dispatch,
    },
    Route {
        path: "/stream",
        tail: false,
        ends: "",
        methods: &[Method::Get, Method::Head, Method::Post, Method::Options],
        allow: "GET, HEAD, POST, OPTIONS",
        help: "read topics live (topic=NAME)",
        look: Needs::Stream,
        change: Needs::Stream,
        store: Store::Unneeded,
        handler: Handler::Stream,
    },
    Route {
        path: "/hub",
        tail: false,
        ends: "",
        methods: &[Method::Get, Method::Head, Method::Post, Method::Options],
        allow: "GET, HEAD, POST, OPTIONS",
        help: "WebSub: subscribe, unsubscribe, publish (hub.mode)",
        look: Needs::Known,
        change: Needs::Known,
        store: Store::Unneeded,
        handler: Handler::Hub(Half::Any),
    },
    Route {
        path: "/subscribe",
        tail: false,
        ends: "",
        methods: &[Method::Post, Method::Options],
        allow: "POST, OPTIONS",
        help: "the half of the hub for subscribers",
        look: Needs::Known,
        change: Needs::Known,
        store: Store::Unneeded,
        handler: Handler::Hub(Half::Subscribe),
    },
    Route {
        path: "/publish",
        tail: false,
        ends: "",
        methods: &[Method::Post, Method::Options],
        allow: "POST, OPTIONS",
        help: "the half of the hub for publishers",
        look: Needs::Known,
        change: Needs::Known,
        store: Store::Unneeded,
        handler: Handler::Hub(Half::Publish),
    },
    Route {
        path: "/subscriptions",
        tail: false,
        ends: "",
        methods: &[Method::Get, Method::Head, Method::Delete, Method::Options],
        allow: "GET, HEAD, DELETE, OPTIONS",
        help: "who subscribes to what (topic=, callback=, limit=N, cursor=N); DELETE denies it",
        look: Needs::Read,
        change: Needs::Admin,
        store: Store::Read,
        handler: Handler::Subscriptions,
    },
    Route {
        path: "/topics",
        tail: false,
        ends: "",
        methods: READ,
        allow: "GET, HEAD, OPTIONS",
        help: "who reads what, and what is kept (limit=N, cursor=N)",
        look: Needs::Read,
        change: Needs::Admin,
        store: Store::Read,
        handler: Handler::Topics,
    },
    Route {
        path: "/topics",
        tail: true,
        ends: "",
        methods: &[Method::Get, Method::Head, Method::Delete, Method::Options],
        allow: "GET, HEAD, DELETE, OPTIONS",
        help: "/topics/{name}, percent-encoded; DELETE ends its streams and drops its messages",
        look: Needs::Read,
        change: Needs::Admin,
        store: Store::Read,
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
        look: Needs::Read,
        change: Needs::Read,
        store: Store::Read,
        handler: Handler::Messages,
    },
    Route {
        path: "/messages/resend",
        tail: false,
        ends: "",
        methods: &[Method::Post, Method::Options],
        allow: "POST, OPTIONS",
        help: "resend those that such a search finds, up to 1000 at once",
        look: Needs::Dispatch,
        change: Needs::Dispatch,
        store: Store::Read,
        handler: Handler::ResendMany,
    },
    Route {
        path: "/messages",
        tail: true,
        ends: "/resend",
        methods: &[Method::Post, Method::Options],
        allow: "POST, OPTIONS",
        help: "/messages/{id}/resend: resend one, as a new message",
        look: Needs::Dispatch,
        change: Needs::Dispatch,
        store: Store::Read,
        handler: Handler::Resend,
    },
    Route {
        path: "/messages",
        tail: true,
        ends: "",
        methods: &[Method::Get, Method::Head, Method::Delete, Method::Options],
        allow: "GET, HEAD, DELETE, OPTIONS",
        help: "/messages/{id}: what became of it (wait=30s); DELETE cancels what is not delivered",
        look: Needs::Read,
        change: Needs::Dispatch,
        store: Store::Read,
        handler: Handler::Message,
    },
    Route {
        path: "/",
        tail: false,
        ends: "",
        methods: READ,
        allow: "GET, HEAD, OPTIONS",
        help: "what there is: a page for browsers, a short text for curl",
        look: Needs::Known,
        change: Needs::Known,
        store: Store::Unneeded,
        handler: Handler::About,
    },
    Route {
        path: "/health",
        tail: false,
        ends: "",
        methods: READ,
        allow: "GET, HEAD, OPTIONS",
        help: "200 while the server runs, 503 while its store fails",
        look: Needs::Nothing,
        change: Needs::Nothing,
        store: Store::Unneeded,
        handler: Handler::Health,
    },
    Route {
        path: "/ready",
        tail: false,
        ends: "",
        methods: READ,
        allow: "GET, HEAD, OPTIONS",
        help: "200 while messages are taken; 503 at the start, and while the store fails",
        look: Needs::Nothing,
        change: Needs::Nothing,
        store: Store::Unneeded,
        handler: Handler::Ready,
    },
    Route {
        path: "/metrics",
        tail: false,
        ends: "",
        methods: READ,
        allow: "GET, HEAD, OPTIONS",
        help: "counters and gauges in Prometheus text",
        look: Needs::Read,
        change: Needs::Read,
        store: Store::Unneeded,
        handler: Handler::Metrics,
    },
    Route {
        path: "/lanes",
        tail: false,
        ends: "",
        methods: READ,
        allow: "GET, HEAD, OPTIONS",
        help: "what waits and runs for each origin (limit=N, cursor=N)",
        look: Needs::Read,
        change: Needs::Read,
        store: Store::Unneeded,
        handler: Handler::Lanes,
    },
    Route {
        path: "/lanes",
        tail: true,
        ends: "",
        methods: &[Method::Post, Method::Options],
        allow: "POST, OPTIONS",
        help: "/lanes/{origin}/pause and /resume, the origin percent-encoded",
        look: Needs::Admin,
        change: Needs::Admin,
        store: Store::Unneeded,
        handler: Handler::Steer,
    },
    Route {
        path: "/flows",
        tail: false,
        ends: "",
        methods: READ,
        allow: "GET, HEAD, OPTIONS",
        help: "what rates and parallelism hold back (limit=N, cursor=N)",
        look: Needs::Read,
        change: Needs::Read,
        store: Store::Unneeded,
        handler: Handler::Flows,
    },
    Route {
        path: "/queues",
        tail: false,
        ends: "",
        methods: READ,
        allow: "GET, HEAD, OPTIONS",
        help: "queues and the first of each (limit=N, cursor=N)",
        look: Needs::Read,
        change: Needs::Read,
        store: Store::Unneeded,
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
