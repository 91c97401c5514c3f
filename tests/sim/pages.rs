//! Clients that are browsers: what pages make them send, and by the rules alone what must become of
//! it. They know none of our words for it.

use hookah::access::browser::Settings;
use hookah::model::Door;

use crate::clients::{Client, Want};
use crate::order::Order;
use crate::requests::{self, Framing};
use crate::rng::Rng;
use crate::script::Step;
use crate::world::SECOND;

/// Whose pages may send.
const LISTED: &str = "https://app.sim";
/// A name of ours.
const NAME: &str = "hook.sim";
/// Of a refused body in chunks as much is read away, more or less.
const SKIPPED: usize = 64 << 10;
/// What the requests of others call us.
const USUAL: &str = "localhost:4665";

/// What every world is told; with `all` every page may read.
pub fn settings(all: bool) -> Settings {
    let mut settings = Settings::default();
    assert!(settings.origins.add(LISTED));
    assert!(
        [NAME, "hub.sim", "a"]
            .iter()
            .all(|name| settings.add_name(name))
    );
    assert!(!all || settings.origins.add("*"));
    settings
}

/// Whose page it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    /// Nobody's, or the browser does not say.
    Nobody,
    Own,
    Listed,
    Other(&'static str),
}

/// What a browser sends besides what its page wants.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    door: Door,
    host: &'static str,
    from: From,
    site: Option<&'static str>,
}

impl Page {
    /// Any page at any door.
    pub fn random(rng: &mut Rng) -> Page {
        let others = [From::Other("https://evil.sim"), From::Other("null")];
        Page {
            door: rng.pick(&[Door::Open, Door::Loopback, Door::Loopback]),
            host: rng.pick(&[USUAL, "127.0.0.1", "[::1]:4665", NAME, NAME, "evil.sim"]),
            from: match rng.between(0, 9) {
                0..=1 => From::Nobody,
                2..=3 => From::Own,
                4..=6 => From::Listed,
                _ => rng.pick(&others),
            },
            site: rng.pick(&[
                None,
                Some("none"),
                Some("same-origin"),
                Some("same-site"),
                Some("cross-site"),
                Some("cross-site"),
            ]),
        }
    }

    /// A page of another site, in the browser of somebody on our machine.
    pub fn foreign() -> Page {
        Page {
            door: Door::Loopback,
            host: USUAL,
            from: From::Other("https://evil.sim"),
            site: Some("cross-site"),
        }
    }

    /// Whether we have to refuse what it sends: something that changes anything here, or, `all`
    /// saying whether every page may read, a stream.
    fn is_refused(&self, reads: bool, all: bool) -> bool {
        let astray = self.door == Door::Loopback && self.host == "evil.sim";
        let crosses = matches!(self.site, Some("cross-site" | "same-site"));
        let foreign = match self.from {
            From::Listed => false,
            From::Own | From::Nobody => crosses,
            From::Other(_) => true,
        };
        astray || foreign && !(reads && all)
    }

    fn fields(&self) -> String {
        let origin = match self.from {
            From::Nobody => String::new(),
            From::Own => format!("Origin: http://{}\r\n", self.host),
            From::Listed => format!("Origin: {LISTED}\r\n"),
            From::Other(origin) => format!("Origin: {origin}\r\n"),
        };
        let site = self.site.map(|it| format!("Sec-Fetch-Site: {it}\r\n"));
        format!(
            "Host: {}\r\n{origin}{}",
            self.host,
            site.unwrap_or_default()
        )
    }

    /// The same request as this page has it sent.
    fn sends(&self, step: Step) -> Step {
        let Step::Send(bytes) = step else { return step };
        let text = String::from_utf8_lossy(&bytes);
        let usual = format!("Host: {USUAL}\r\n");
        let Some(at) = text.find(&usual).filter(|at| *at < 1_000) else {
            return Step::Send(bytes);
        };
        let (before, after) = (&bytes[..at], &bytes[at + usual.len()..]);
        Step::Send([before, self.fields().as_bytes(), after].concat())
    }

    /// Whose scripts may read the answers.
    fn readers(&self, all: bool) -> Option<&'static str> {
        match self.from {
            From::Listed => Some(LISTED),
            From::Nobody => None,
            From::Own | From::Other(_) => all.then_some("*"),
        }
    }

    /// A client whose page places an order. Whether it has to be taken, and the client.
    pub fn places(&self, rng: &mut Rng, order: &Order, all: bool) -> (bool, Client) {
        let (mut steps, mut wants) = (Vec::new(), Vec::new());
        let taken = !self.is_refused(false, all);
        if self.from == From::Listed && taken {
            steps.push(self.sends(preflight()));
            wants.push(Want::Page(204, false));
            steps.push(Step::Answers(1));
        }
        if rng.chance(30) {
            // What only reads is let in, and what reads for as long as it likes is not.
            let refused = self.is_refused(true, all);
            let (path, want) = match (refused, rng.chance(50)) {
                (true, _) => ("/stream?topic=a", Want::Refused(&[403])),
                (false, true) => ("/", Want::Page(200, false)),
                (false, false) => ("/nowhere", Want::Refused(&[404])),
            };
            // A browser that is to show it says so.
            let Step::Send(mut head) = requests::ask("GET", path) else {
                unreachable!("it is sent")
            };
            head.truncate(head.len() - 2);
            head.extend(b"Accept: text/html, */*;q=0.8\r\n\r\n");
            steps.push(self.sends(Step::Send(head)));
            wants.push(want);
            steps.push(Step::Answers(wants.len()));
        }
        let chunk = rng.between(1, 5_000) as usize;
        let framing = rng.pick(&[Framing::Length, Framing::Chunks(chunk), Framing::Expect]);
        // A body in chunks is read away only so far, and nobody can say so beforehand.
        let long = matches!(framing, Framing::Chunks(_)) && order.parts().body.len() > SKIPPED;
        let place = requests::place(order, framing, false);
        steps.extend(place.into_iter().map(|step| self.sends(step)));
        wants.push(match taken {
            true => Want::Accepted(order.number),
            false => Want::Refused(&[403]),
        });
        steps.extend([
            Step::Answers(wants.len()),
            Step::Wait(rng.between(0, SECOND)),
        ]);
        // Whatever became of its body, the next request is read as one.
        if taken || !long {
            steps.push(self.sends(requests::ask("GET", "/health")));
            wants.push(Want::Page(200, false));
        }
        steps.extend([Step::Answers(wants.len()), Step::Close]);
        let mut client = Client::new(steps, wants);
        (client.door, client.shared) = (self.door, self.readers(all));
        (taken, client)
    }
}

fn preflight() -> Step {
    let asked = "Access-Control-Request-Method: POST\r\n\
                 Access-Control-Request-Headers: authorization, content-type\r\n";
    let head = format!("OPTIONS /dispatch HTTP/1.1\r\nHost: {USUAL}\r\n{asked}\r\n");
    Step::Send(head.into_bytes())
}
