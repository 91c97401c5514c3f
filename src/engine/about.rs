//! `/`: a text for whoever asks with curl, a page for browsers, chosen by what Accept says.

use std::borrow::Cow;
use std::net::{Ipv4Addr, SocketAddr};

use super::routes::routes;
use super::serve::Rooms;
use super::wishes::list;
use crate::access::Who;
use crate::admin::about::{self, Asked, Endpoint};
use crate::admin::dashboard;
use crate::conn::reply::Reply;
use crate::http::accept::{Fit, preference};
use crate::http::field;
use crate::http::request::Request;

/// What goes with the text.
const FIELDS: &[(&str, &str)] = &[
    ("X-Content-Type-Options", "nosniff"),
    ("Cache-Control", "no-cache"),
    ("Vary", "Accept"),
];

impl Rooms<'_> {
    /// What this is.
    pub(super) fn about(&self, request: &Request<'_>) -> Reply {
        if !wants_html(request) {
            return Reply::Text {
                status: 200,
                content_type: "text/plain; charset=utf-8",
                fields: FIELDS,
                body: Cow::Owned(self.text(request)),
            };
        }
        let known = has_tag(request, dashboard::tag());
        Reply::Text {
            status: if known { 304 } else { 200 },
            content_type: if known {
                ""
            } else {
                "text/html; charset=utf-8"
            },
            fields: dashboard::fields(),
            body: Cow::Borrowed(if known { "" } else { &dashboard::PAGE }),
        }
    }

    fn text(&self, request: &Request<'_>) -> String {
        let home = SocketAddr::from((Ipv4Addr::LOCALHOST, 9_000));
        let policy = &self.courier.settings().policy;
        let calls_home = policy.judge(home, "localhost", false).is_ok();
        let hub = self.hub.settings();
        let asked = Asked {
            host: request.host,
            visitor: self.visitor,
            doors: &self.settings.doors,
            public_url: hub.public_url.as_deref(),
            token: !matches!(self.who, Some(Who::Anyone | Who::Owner)),
            calls_home,
            hub_calls_home: calls_home && (self.visitor.is_local() || !hub.strict_targets),
        };
        about::text(&asked, &endpoints())
    }
}

/// Whether a page is wanted more than a text; curl, which takes anything, gets the text.
fn wants_html(request: &Request<'_>) -> bool {
    let accept = list(request, "accept").unwrap_or_default();
    let [html, text] = ["text/html", "text/plain"].map(|it| preference(&accept, it));
    let is_named = html.is_some_and(|it| it.weight > 0 && it.fit == Fit::Exact);
    is_named && html >= text
}

/// Whether `If-None-Match` names that tag (RFC 9110 section 13.1.2: weakly, or any).
fn has_tag(request: &Request<'_>, tag: &str) -> bool {
    let given = list(request, "if-none-match").unwrap_or_default();
    field::list(&given).any(|it| {
        let it = it.strip_prefix(b"W/").unwrap_or(it);
        it == tag.as_bytes() || it == b"*"
    })
}

/// The rows of the routing table, by path.
fn endpoints() -> Vec<Endpoint> {
    let mut rows: Vec<Endpoint> = Vec::new();
    for route in routes() {
        let alone = routes().iter().filter(|it| it.path == route.path).count() == 1;
        let below = if route.tail && !alone { "/…" } else { "" };
        let path = format!("{}{below}{}", route.path, route.ends);
        let methods = route.methods.iter().map(|method| method.as_str());
        let methods: Vec<_> = methods
            .filter(|it| !["HEAD", "OPTIONS"].contains(it))
            .collect();
        rows.push((methods.join(", "), path, route.help));
    }
    rows.sort_by(|one, other| one.1.cmp(&other.1));
    rows
}
