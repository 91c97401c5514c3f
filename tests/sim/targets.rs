//! The scripted targets: who listens where, what they answer, and whether what they got was right.
//! They never look at the engine.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use hookah::model::MessageId;

use crate::behaviour::{Behaviour, Door, To};
use crate::http::{Kind, Message, Reader};
use crate::names;
use crate::net::{Item, LinkId, Net};
use crate::order::{CREDENTIALS, Order};
use crate::receipts;
use crate::script::Script;
use crate::world::{MINUTE, SECOND, World};

/// One target.
#[derive(Debug)]
pub struct Target {
    /// What it is called in URLs.
    pub host: String,
    /// Where it listens.
    pub addr: SocketAddr,
    /// What its name is, if it goes by one.
    pub kind: Option<names::Kind>,
    /// Whether it is called over TLS.
    pub secure: bool,
    /// Its behaviour, in turn, each until its time; the last has no end.
    pub phases: Vec<(u64, Behaviour)>,
    /// Whole requests got, in order.
    pub got: Vec<Got>,
    lines: BTreeMap<LinkId, Line>,
    /// Requests by order, and whether they told of it.
    asked: BTreeMap<(usize, bool), u32>,
}

/// A request that a target got.
#[derive(Clone, Debug)]
pub struct Got {
    /// The order's number.
    pub order: usize,
    /// `Hookah-Attempt`.
    pub attempt: u32,
}

#[derive(Debug)]
struct Line {
    script: Script,
    reader: Reader,
    served: u32,
}

impl Target {
    /// A target that behaves like this for ever.
    pub fn new(host: &str, addr: SocketAddr, behaviour: Behaviour) -> Target {
        let phases = vec![(u64::MAX, behaviour)];
        Target {
            host: host.to_owned(),
            addr,
            kind: None,
            secure: matches!(behaviour, Behaviour::Insecure(_)),
            phases,
            got: Vec::new(),
            lines: BTreeMap::new(),
            asked: BTreeMap::new(),
        }
    }

    /// How it behaves at that time.
    pub fn behaviour(&self, at: u64) -> Behaviour {
        let phase = self.phases.iter().find(|(until, _)| at < *until);
        phase.map_or(Behaviour::Healthy, |(_, behaviour)| *behaviour)
    }

    /// The start of its URLs.
    pub fn base(&self) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}:{}", self.host, self.addr.port())
    }

    /// The name that its certificate must be for, over TLS.
    pub fn server_name(&self) -> Option<&str> {
        let name = self.host.trim_matches(['[', ']']);
        self.secure.then_some(name)
    }

    /// The longest that a failed certificate holds a retry back.
    pub fn distrust(&self) -> u64 {
        let mut phases = self.phases.iter();
        let untrusted = |(_, behaviour): &(u64, Behaviour)| match behaviour {
            Behaviour::Insecure(word) => word.starts_with("tls_cert_"),
            _ => false,
        };
        let waits = phases.any(untrusted);
        if waits { 5 * MINUTE } else { 0 }
    }

    /// Whether its address can be known.
    pub fn is_found(&self) -> bool {
        self.kind.is_none_or(names::Kind::is_found)
    }

    /// The longest that its address has to be waited for.
    pub fn lookup_within(&self) -> u64 {
        if self.kind.is_some() { 6 * SECOND } else { 0 }
    }

    /// Whether it may send orders to where they must not go, which is final.
    pub fn misleads(&self) -> bool {
        let astray = |behaviour| matches!(behaviour, Behaviour::Sends(_, To::At(_)));
        let mut phases = self.phases.iter();
        phases.any(|(_, behaviour)| astray(*behaviour))
    }

    /// Whether a request goes out to it with every attempt, at any time.
    pub fn sees_every_attempt(&self) -> bool {
        if !self.is_found() {
            return false;
        }
        let mut phases = self.phases.iter();
        phases.all(|(_, behaviour)| behaviour.lets_speak())
    }

    /// Whether nobody can ever connect to it.
    pub fn is_always_shut(&self) -> bool {
        let endless = self.phases.last().is_some_and(|last| last.0 == u64::MAX);
        let mut phases = self.phases.iter();
        endless && self.is_found() && phases.all(|(_, behaviour)| behaviour.door() != Door::Open)
    }

    /// The longest that it takes for an exchange that cannot fail, if it never does.
    pub fn good_within(&self) -> Option<u64> {
        match self.phases.as_slice() {
            [(_, behaviour)] if self.is_found() => behaviour.good_within(),
            _ => None,
        }
    }

    /// A connection was made.
    pub fn opened(&mut self, world: &mut World, net: &mut Net, link: LinkId) {
        let mut script = Script::new(self.behaviour(world.at()).greet());
        script.run(world, net, link);
        self.lines.insert(
            link,
            Line {
                script,
                reader: Reader::new(Kind::Request),
                served: 0,
            },
        );
    }

    /// Something came, or (`None`) the script may go on.
    pub fn on(
        &mut self,
        orders: &[Order],
        world: &mut World,
        net: &mut Net,
        link: LinkId,
        item: Option<Item>,
    ) {
        let (behaviour, base) = (self.behaviour(world.at()), self.base());
        let Some(line) = self.lines.get_mut(&link) else {
            return;
        };
        match item {
            Some(Item::Bytes(bytes)) => {
                line.reader.push(&bytes);
                let wrong = |e| panic!("target {} got no HTTP: {e}", self.addr);
                while let Some(request) = line.reader.next().unwrap_or_else(wrong) {
                    let told = receipts::number(request.word(1));
                    let got = match told {
                        Some(order) => {
                            receipts::check(orders, &base, order, &request);
                            None
                        }
                        None => Some(check(orders, self.addr, &base, world, &request)),
                    };
                    let order = got.as_ref().map_or(told.unwrap_or(0), |got| got.order);
                    let asked = self.asked.entry((order, told.is_some())).or_default();
                    *asked += 1;
                    let wall = world.now.wall.seconds();
                    let steps = behaviour.sends(order, request.word(1), &base);
                    let steps = steps.unwrap_or_else(|| {
                        behaviour.answer(&mut world.rng, *asked, line.served, wall)
                    });
                    line.script.extend(steps);
                    line.served += 1;
                    self.got.extend(got);
                }
            }
            Some(Item::Fin) => {
                line.script.stop();
                net.hang_up(world, link);
            }
            Some(Item::Reset) => line.script.stop(),
            None => {}
        }
        line.script.run(world, net, link);
    }
}

/// What every request that a target gets must be (dispatch.md section 7).
fn check(orders: &[Order], addr: SocketAddr, base: &str, world: &World, request: &Message) -> Got {
    let order = Order::number_in_hook(request.word(1)).and_then(|number| orders.get(number));
    let Some(order) = order else {
        panic!("nobody ordered {:?}", request.start)
    };
    assert!(
        order.base == base || Order::is_hop(request.word(1)),
        "order {order:?} came to {addr}"
    );
    for name in CREDENTIALS {
        let shown = request.field(name).is_some();
        let own = order.private && order.base == base;
        assert_eq!(shown, own, "{name} of {order:?} at {addr}");
    }
    assert_eq!(request.word(0), order.method_out(), "method of {order:?}");
    let host = base.split_once("://").map(|(_, host)| host);
    assert_eq!(request.field("host"), host, "Host of {order:?}");
    let agent = request.field("user-agent").unwrap_or("");
    assert!(agent.starts_with("Hookah/"), "User-Agent {agent:?}");
    let id = request.field("webhook-id").unwrap_or("");
    assert!(MessageId::parse(id).is_some(), "webhook-id {id:?}");
    let stamp: u64 = number(request, "webhook-timestamp");
    if !world.jumped && !world.leapt {
        let now = world.now.wall.seconds();
        assert!(
            stamp <= now && stamp + 20 + world.stopped / SECOND >= now,
            "webhook-timestamp {stamp} at {now}"
        );
    }
    for absent in ["accept-encoding", "expect", "transfer-encoding"] {
        assert_eq!(
            request.field(absent),
            None,
            "{absent} in {:?}",
            request.fields
        );
    }
    let hidden = request.fields.iter().find(|(name, _)| name == "hookah-url");
    assert_eq!(hidden, None, "a control field went out");
    if let Err(wrong) = order.check_payload(request.field("content-type"), &request.body) {
        panic!("{wrong}");
    }
    Got {
        order: order.number,
        attempt: number(request, "hookah-attempt") as u32,
    }
}

fn number(request: &Message, name: &str) -> u64 {
    let value = request.field(name).unwrap_or("");
    value
        .parse()
        .unwrap_or_else(|_| panic!("{name} is {value:?} in {:?}", request.fields))
}
