//! The scripted clients: what they send, and whether every answer is right and in its place.
//! They never look at the engine.

use std::collections::VecDeque;
use std::net::IpAddr;

use hookah::model::{Door, Visitor};

use crate::doors::Handshake;
use crate::guests::{self, Shows};
use crate::http::{Kind, Message, Reader};
use crate::net::{Item, LinkId, Net};
use crate::oracle::Oracle;
use crate::pollers::Poller;
use crate::repeats;
use crate::script::{Script, Step};
use crate::world::World;

/// What a client waits for.
#[derive(Clone, Debug)]
pub enum Want {
    /// 202 for this order.
    Accepted(usize),
    /// 202 for this order, which was sent before.
    Again(usize),
    /// What becomes of these orders in one batch.
    Batch(Vec<usize>),
    /// 202 for this publication.
    Published(usize),
    /// What the hub says to that request.
    Hub(usize),
    /// What the hub says to that ping.
    Ping(usize),
    /// One of these, and nothing is delivered.
    Refused(&'static [u16]),
    /// One of these for that order, and it is not delivered.
    NotTaken(usize, &'static [u16]),
    /// That status; to a HEAD request where so.
    Page(u16, bool),
    /// What its poller judges.
    Polled,
    /// What it asks for with what it shows.
    Guest(Shows, guests::Asks),
    /// 408, or just the end of the connection.
    TimedOut,
}

/// One client on one connection.
#[derive(Debug)]
pub struct Client {
    /// Where it connects from.
    pub ip: IpAddr,
    /// How its handshake goes, if it comes by a door with TLS.
    pub handshake: Option<Handshake>,
    /// Whether it comes as somebody who needs a token, where there are any.
    pub guest: bool,
    /// The door it comes by.
    pub door: Door,
    /// Whose scripts may read its answers, they have to say.
    pub shared: Option<&'static str>,
    /// Its connection, once it is made.
    pub link: Option<LinkId>,
    /// Whether it may miss answers by its own doing.
    pub lossy: bool,
    /// Whether it speaks HTTP/1.0, so that nothing interim or chunked may come.
    pub old: bool,
    /// Whether its last request asks for the connection to be closed.
    pub closes: bool,
    /// Answers got, in order.
    pub got: Vec<Message>,
    /// When each of them came.
    pub got_at: Vec<u64>,
    /// Whether its connection has ended.
    pub over: bool,
    /// What it goes on with, if it polls.
    pub poller: Option<Poller>,
    /// Where the head of each request begins and ends in what it sends.
    heads: Vec<(usize, usize)>,
    /// Bytes of that which the engine has read.
    heard: usize,
    /// The number of the answer that was begun last, and what had been read by then.
    told_at: Option<(usize, usize)>,
    script: Script,
    reader: Reader,
    wants: VecDeque<Want>,
    ids: Vec<String>,
}

impl Client {
    /// A client that does these steps and wants these answers.
    pub fn new(steps: Vec<Step>, wants: Vec<Want>) -> Client {
        Client {
            ip: IpAddr::from([127, 0, 0, 1]),
            handshake: None,
            guest: false,
            door: Door::Loopback,
            shared: None,
            link: None,
            lossy: false,
            old: false,
            closes: false,
            got: Vec::new(),
            got_at: Vec::new(),
            over: false,
            poller: None,
            heads: heads(&steps),
            heard: 0,
            told_at: None,
            script: Script::new(steps),
            reader: Reader::new(Kind::Answer),
            wants: wants.into(),
            ids: Vec::new(),
        }
    }

    /// Who it is, as far as its connection tells.
    pub fn visitor(&self) -> Visitor {
        Visitor {
            door: self.door,
            secure: self.handshake.is_some(),
            ..Visitor::from(self.ip)
        }
    }

    /// Its connection was made.
    pub fn opened(&mut self, world: &mut World, net: &mut Net, link: LinkId) {
        self.link = Some(link);
        self.script.run(world, net, link);
    }

    /// The engine reads so many bytes of what it sends.
    pub fn heard(&mut self, bytes: usize) {
        self.heard += bytes;
    }

    /// The engine writes to it, perhaps only a part of its next answer.
    pub fn told(&mut self) {
        let number = self.got.len();
        if self.told_at.is_none_or(|(before, _)| before != number) {
            self.told_at = Some((number, self.heard));
        }
    }

    /// Whether its next answer was begun before the head of that request was read. Known only of
    /// one that asks when it has the answer before.
    fn was_amid_head(&self) -> bool {
        let head = self.heads.get(self.got.len());
        let told_at = self.told_at.filter(|(number, _)| *number == self.got.len());
        matches!((head, told_at), (Some((_, end)), Some((_, heard))) if heard < *end)
    }

    /// Whether what it gets next answers HEAD, and could: one that is turned away amid that word is
    /// answered as if it had asked for anything else.
    fn asks_for_head(&self) -> bool {
        let head = self.heads.get(self.got.len());
        let told_at = self.told_at.filter(|(number, _)| *number == self.got.len());
        let heard = told_at.map_or(self.heard, |(_, heard)| heard);
        let is_known = head.is_none_or(|(start, _)| heard >= start + b"HEAD ".len());
        is_known && matches!(self.wants.front(), Some(Want::Page(_, true)))
    }

    /// Something came, or (`None`) the script may go on.
    pub fn on(
        &mut self,
        oracle: &mut Oracle,
        world: &mut World,
        net: &mut Net,
        link: LinkId,
        item: Option<Item>,
    ) {
        match item {
            Some(Item::Bytes(bytes)) => {
                self.reader.push(&bytes);
                self.read(oracle, world);
            }
            Some(Item::Fin) => {
                match self.reader.finish() {
                    Ok(Some(answer)) => self.answered(oracle, world, answer),
                    Err(wrong) if !self.lossy => self.complain(&wrong),
                    _ => {}
                }
                self.ended(oracle);
                net.hang_up(world, link);
            }
            Some(Item::Reset) => self.ended(oracle),
            None => {}
        }
        self.script.run(world, net, link);
    }

    /// It was not taken in, and got this instead.
    pub fn turned_away(&mut self, answer: &[u8]) {
        self.over = true;
        // Over TLS nothing can be said before a handshake.
        if self.handshake.is_some() {
            self.wants.clear();
            return;
        }
        self.reader.push(answer);
        let answer = self.reader.next();
        let Ok(Some(answer)) = answer else {
            panic!("turned away with {answer:?}")
        };
        assert_eq!(answer.status, 503, "{answer:?}");
        assert!(answer.connection("close"), "{answer:?}");
        self.got.push(answer);
        self.over = true;
        self.wants.clear();
    }

    /// Whether it has got all that it wanted, or cannot any more.
    pub fn is_content(&self) -> bool {
        self.over || self.lossy || self.wants.is_empty()
    }

    fn read(&mut self, oracle: &mut Oracle, world: &World) {
        loop {
            self.reader.to_head = self.asks_for_head();
            let next = self.reader.next();
            let next = next.unwrap_or_else(|e| self.complain(&format!("answer is no HTTP: {e}")));
            if !self.reader.interim.is_empty() {
                assert!(!self.old, "an interim answer to HTTP/1.0");
                self.script.may_continue = true;
            }
            let Some(answer) = next else { return };
            self.answered(oracle, world, answer);
        }
    }

    fn answered(&mut self, oracle: &mut Oracle, world: &World, answer: Message) {
        self.check_form(&answer);
        let Some(want) = self.wants.pop_front() else {
            self.complain(&format!("an answer to nothing: {answer:?}"))
        };
        let refused = match want {
            Want::Accepted(order) if answer.status == 202 => {
                self.check_accepted(&answer, oracle.volatile);
                let id = answer.field("hookah-id").unwrap_or("");
                oracle.promised(world, order, id);
                false
            }
            Want::Accepted(order) => self.lost(oracle, order, &answer),
            Want::Again(order) => {
                repeats::check_again(oracle, order, &answer);
                false
            }
            Want::Batch(orders) => repeats::check_batch(oracle, world, &orders, &answer),
            Want::Published(number) => self.published(oracle, number, &answer),
            Want::Hub(_) | Want::Ping(_) => {
                oracle.mail.push((want, answer.clone()));
                answer.status >= 400
            }
            Want::NotTaken(order, statuses) => {
                oracle.refused(order);
                check_refusal(oracle, &answer, statuses);
                true
            }
            Want::Refused(statuses) => {
                check_refusal(oracle, &answer, statuses);
                true
            }
            Want::Page(status, _) => check_page(oracle, &answer, status),
            Want::Guest(shows, asks) => self.hosted(oracle, world, (shows, &asks), &answer),
            Want::Polled => self.polled(oracle, &answer),
            Want::TimedOut => check_page(oracle, &answer, 408),
        };
        if answer.connection("close") {
            let asked = self.closes && self.wants.is_empty();
            assert!(
                refused || asked || self.old || self.lossy || oracle.draining,
                "closed unasked: {answer:?}"
            );
            self.wants.clear();
        }
        self.script.answers += 1;
        self.got.push(answer);
        self.got_at.push(world.at());
    }

    /// The answer to what a guest asked for; whether it was refused.
    fn hosted(
        &mut self,
        oracle: &mut Oracle,
        world: &World,
        asked: (Shows, &guests::Asks),
        answer: &Message,
    ) -> bool {
        // It asks only once it has the answer before.
        let since = self.got_at.last().copied().unwrap_or(0);
        if guests::answered(oracle, asked, answer, (since, world.at())) {
            return true;
        }
        match asked.1 {
            guests::Asks::Publish(number, _) => return self.published(oracle, *number, answer),
            guests::Asks::Order(order) => {
                self.check_accepted(answer, oracle.volatile);
                let id = answer.field("hookah-id").unwrap_or("");
                oracle.promised(world, *order, id);
            }
            guests::Asks::Look => assert_eq!(answer.status, 200, "{answer:?}"),
        }
        false
    }

    /// An order was refused, which has to have an excuse.
    fn lost(&self, oracle: &mut Oracle, order: usize, answer: &Message) -> bool {
        if answer.status != 503 || !oracle.may_refuse {
            self.complain(&format!("order {order} was refused: {answer:?}"));
        }
        let wait = answer.field("retry-after");
        assert!(wait.is_some(), "503 without Retry-After");
        oracle.refused(order);
        true
    }

    /// The answer to a publication; whether it was refused.
    fn published(&mut self, oracle: &mut Oracle, number: usize, answer: &Message) -> bool {
        let taken = answer.status == 202;
        if taken {
            self.check_accepted(answer, oracle.volatile);
            let id = answer.field("hookah-id").unwrap_or("");
            oracle.feeds.promised(number, id);
        } else {
            check_refusal(oracle, answer, &[]);
            oracle.feeds.publications[number].refused = true;
        }
        !taken
    }

    /// The answer to a poll; whether it was refused. What it asks next follows at once.
    fn polled(&mut self, oracle: &Oracle, answer: &Message) -> bool {
        if answer.status == 503 {
            check_refusal(oracle, answer, &[]);
            self.script.extend(vec![Step::Close]);
            return true;
        }
        let poller = self.poller.as_mut().expect("a poller");
        let next = poller.answered(answer, &oracle.feeds);
        if next.is_some() {
            self.wants.push_back(Want::Polled);
        }
        self.script.extend(vec![next.unwrap_or(Step::Close)]);
        false
    }

    /// What every answer of ours must be (http.md).
    fn check_form(&self, answer: &Message) {
        assert!(answer.start.starts_with("HTTP/1.1 "), "{:?}", answer.start);
        let date = answer.field("date");
        let date = date.unwrap_or_else(|| self.complain(&format!("no Date in {answer:?}")));
        assert!(httpdate::parse_http_date(date).is_ok(), "Date {date:?}");
        let starts = String::from_utf8_lossy(&answer.body).contains("server is starting");
        if answer.status == 503 && starts {
            let wait = answer.field("retry-after");
            assert_eq!(wait, Some("1"), "a start is a matter of a moment");
        }
        let chunked = answer.field("transfer-encoding").is_some();
        assert!(!(self.old && chunked), "a chunked answer to HTTP/1.0");
        let framed = chunked || answer.field("content-length").is_some();
        assert!(
            framed || [204, 304].contains(&answer.status),
            "no framing in {answer:?}"
        );
        let allow = answer.field("allow").is_some();
        let told = answer.status == 405 || allow && answer.status == 204;
        assert_eq!(told, allow, "Allow in {answer:?}");
        let shared = answer.field("access-control-allow-origin");
        // Whoever is turned away amid a head has not said yet where it comes from.
        let amid = answer.status == 503 && answer.connection("close") && self.was_amid_head();
        let expected = self.shared.filter(|_| !amid);
        assert_eq!(shared, expected, "whose scripts may read {answer:?}");
    }

    /// What a 202 must be (dispatch.md section 5).
    fn check_accepted(&mut self, answer: &Message, volatile: bool) {
        let body = String::from_utf8_lossy(&answer.body);
        let id = answer.field("hookah-id").unwrap_or("").to_owned();
        // Who asks in JSON is answered so.
        let json = format!("{{\"id\":\"{id}\",\"status\":\"scheduled\",");
        let right = body.trim_end() == "202 Scheduled" || body.starts_with(&json);
        assert!(right, "{body:?}");
        assert_eq!(
            answer.field("location"),
            Some(format!("/messages/{id}").as_str())
        );
        let said = volatile.then_some("memory");
        assert_eq!(answer.field("hookah-durability"), said);
        assert!(
            self.ids.last().is_none_or(|last| *last < id),
            "{id} after {:?}",
            self.ids
        );
        self.ids.push(id);
    }

    fn ended(&mut self, oracle: &Oracle) {
        self.over = true;
        self.script.stop();
        let excused = self.lossy || oracle.draining || self.old;
        let timed_out = matches!(self.wants.front(), Some(Want::TimedOut));
        if !excused && !timed_out && !self.wants.is_empty() {
            self.complain("the connection ended before its answers");
        }
        self.wants.clear();
    }

    fn complain(&self, what: &str) -> ! {
        let next: Vec<&Want> = self.wants.iter().take(4).collect();
        panic!(
            "client on link {:?}: {what}; wants {next:?} of {}",
            self.link,
            self.wants.len()
        )
    }
}

/// A page may be refused where memory is scarce; whether it was.
fn check_page(oracle: &Oracle, answer: &Message, status: u16) -> bool {
    let busy = oracle.may_refuse && answer.status == 503;
    assert!(
        busy || answer.status == status,
        "{status} wanted: {answer:?}"
    );
    answer.status >= 400
}

/// A request that must be refused may meet another bound first.
fn check_refusal(oracle: &Oracle, answer: &Message, statuses: &[u16]) {
    let busy = oracle.may_refuse && answer.status == 503;
    let right = busy || statuses.contains(&answer.status);
    assert!(right, "{statuses:?} wanted: {answer:?}");
}

/// Where the heads begin and end in what these steps send: each is in one step, alone or before its
/// body.
fn heads(steps: &[Step]) -> Vec<(usize, usize)> {
    let (mut heads, mut sent) = (Vec::new(), 0);
    for step in steps {
        let Step::Send(bytes) = step else { continue };
        let text = String::from_utf8_lossy(bytes);
        let line = text.split("\r\n").next().unwrap_or_default();
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = end.filter(|_| line.contains(" HTTP/1.")) {
            heads.push((sent, sent + end + 4));
        }
        sent += bytes.len();
    }
    heads
}
