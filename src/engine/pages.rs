//! Browsers at the door: which requests of pages are refused, what a browser asks before it sends
//! one, and whose scripts may read the answers. It decides at the end of a head, on names alone.

use std::sync::Arc;

use super::routes::{self, Handler, Route};
use super::serve::{Rooms, refusal};
use crate::access::browser::{Deed, Foreign};
use crate::base::stats::Counter;
use crate::conn::reply::{Preflight, Reply};
use crate::http::field;
use crate::http::request::Request;
use crate::model::Method;
use crate::port::Turn;

/// Names of fields that a script asks to send: as many bytes of them are looked at.
const ASKED_BYTES_MAX: usize = 1_024;

impl Rooms<'_> {
    /// Whether a page that is not ours sent this, or somebody who calls us by another's name; and
    /// the answer to OPTIONS, which a browser asks before a page may send more than a form.
    pub(super) fn guard(
        &self,
        turn: &mut Turn,
        request: &Request<'_>,
        route: &'static Route,
    ) -> Result<(), Reply> {
        if matches!(route.handler, Handler::Health | Handler::Ready) {
            return match request.method {
                Method::Options => Err(self.options(turn, request, route)),
                _ => Ok(()),
            };
        }
        let browsers = &self.settings.browsers;
        let checked = browsers.check_host(request, self.visitor).and_then(|()| {
            let deed = deed(request.method, route);
            browsers.check_page(request, self.visitor, deed, self.has_tokens())
        });
        match (checked, request.method) {
            (Err(why), _) => Err(foreign(turn, request, why)),
            (Ok(()), Method::Options) => Err(self.options(turn, request, route)),
            (Ok(()), _) => Ok(()),
        }
    }

    /// RFC 9110 section 9.3.7, and the preflight of the Fetch standard, section 3.3.
    fn options(&self, turn: &mut Turn, request: &Request<'_>, route: &'static Route) -> Reply {
        let allow = route.allow;
        let asked = request.field("access-control-request-method");
        let Some((origin, method)) = request.field("origin").zip(asked) else {
            return Reply::Methods(allow);
        };
        let browsers = &self.settings.browsers;
        let method = std::str::from_utf8(method).ok().and_then(Method::parse);
        // A method that nobody knows is not among those allowed.
        let deed = method.map_or(Deed::Look, |method| deed(method, route));
        if browsers.invites(origin, deed, self.has_tokens()) {
            return Reply::Preflight(Box::new(preflight(request, allow)));
        }
        match browsers.is_own(origin, request, self.visitor) {
            true => Reply::Methods(allow),
            false => foreign(turn, request, Foreign::Origin(origin)),
        }
    }

    /// Whether whoever wants something has to have a token.
    fn has_tokens(&self) -> bool {
        !self.gate.is_open()
    }

    /// The origin of a request, or `*`, if its scripts may read the answer.
    pub(super) fn origin_of(&self, request: &Request<'_>) -> Option<Arc<str>> {
        match request.of_page {
            true => self.settings.browsers.shares(request),
            false => None,
        }
    }

    /// An answer, and whose scripts may read it.
    pub(super) fn for_scripts(&self, request: &Request<'_>, reply: Reply) -> Reply {
        match request.of_page {
            true => reply.shared(self.settings.browsers.shares(request)),
            false => reply,
        }
    }
}

fn deed(method: Method, route: &Route) -> Deed {
    match (method, route.handler) {
        (Method::Get, Handler::Stream) => Deed::Hold,
        (Method::Get | Method::Head | Method::Options, _) => Deed::Look,
        _ => Deed::Change,
    }
}

fn foreign(turn: &mut Turn, request: &Request<'_>, why: Foreign<'_>) -> Reply {
    let counter = match why {
        Foreign::Host(_) => Counter::HostsForeign,
        Foreign::Origin(_) | Foreign::Site(_) => Counter::OriginsForeign,
    };
    turn.stats.add(counter, 1);
    refusal(why.problem(), request, None)
}

fn preflight(request: &Request<'_>, allow: &'static str) -> Preflight {
    let asked = request.field("access-control-request-headers");
    let asked = asked.filter(|names| names.len() <= ASKED_BYTES_MAX);
    let names = field::list(asked.unwrap_or_default());
    let is_token = |name: &&[u8]| !name.is_empty() && name.iter().all(|it| field::is_token(*it));
    let names = names
        .filter(is_token)
        .filter_map(|name| std::str::from_utf8(name).ok());
    let private = request.field("access-control-request-private-network");
    Preflight {
        allow,
        fields: names.map(Box::from).collect(),
        private: private == Some(b"true"),
    }
}

/// OPTIONS of the server as a whole: what is allowed somewhere.
pub(super) fn of_all(request: &Request<'_>) -> Option<Reply> {
    let asked = request.path == "*" && request.method == Method::Options;
    asked.then_some(Reply::Methods(routes::ALLOW_ALL))
}
