//! Many seeds of everything at once: whatever comes in whatever order, the invariants hold, nobody
//! waits in vain, each delivery that was offered is decided once, and in the end nothing is left.

use super::*;
use crate::base::slab::Slab;

const SEEDS: u8 = 60;
const STEPS: usize = 150;
const DAY: u64 = 86_400;

/// A story, and what is under way in it.
struct Chaos {
    story: Story,
    rng: Rng,
    outs: Vec<Out>,
    contents: Vec<Content>,
    deliveries: Slab<Key>,
    /// Released deliveries, which can be attempted.
    going: Vec<Key>,
    waiting_for: Vec<Ticket>,
}

impl Chaos {
    fn new(seed: u8) -> Chaos {
        let mut rng = Rng::new([seed; 32]);
        let mut story = Story::with(Settings {
            approve: (rng.below(4) == 0).then(|| {
                name::Callback::parse("", b"http://boss.test/")
                    .unwrap()
                    .target
            }),
            distribute_unchanged: rng.below(4) == 0,
            strict_self: rng.below(6) == 0,
            fetch_interval_min: Duration::from_secs(rng.below(2) * 7),
            ..Settings::default()
        });
        story.local = true;
        Chaos {
            story,
            rng,
            outs: Vec::new(),
            contents: Vec::new(),
            deliveries: Slab::with_bound(10_000),
            going: Vec::new(),
            waiting_for: Vec::new(),
        }
    }

    fn one_of<'t>(&mut self, of: &[&'t str]) -> &'t str {
        of[self.rng.below(of.len() as u64) as usize]
    }

    fn step(&mut self) {
        match self.rng.below(10) {
            0..=2 => self.ask(),
            3 => self.ping(),
            4 => {
                let out = self.story.call();
                self.outs.extend(out);
            }
            5 | 6 => self.answer(),
            7 => self.offer(),
            8 => self.attempt(),
            _ => {
                let seconds = [0, 1, 6, 40, 400, 100_000][self.rng.below(6) as usize];
                self.story.pass(seconds);
            }
        }
        self.carry();
    }

    fn ask(&mut self) {
        let mode = self.one_of(&["subscribe", "subscribe", "unsubscribe"]);
        let topic = self.one_of(&["http://p.test/a", "http://p.test/b", "orders"]);
        let callback = self.one_of(&["http://s.test/1", "http://s.test/2", "http://t.test/1"]);
        let verify = self.one_of(&["", "&hub.verify=async", "&hub.verify=sync"]);
        let lease = self.one_of(&["", "&hub.lease_seconds=300"]);
        let secret = self.one_of(&["", "&hub.secret=s"]);
        let verdict = self.story.post(&format!(
            "hub.mode={mode}&hub.topic={topic}&hub.callback={callback}{verify}{lease}{secret}"
        ));
        if let Ok(Verdict::Verifying(ticket)) = verdict {
            self.waiting_for.push(ticket);
        }
    }

    fn ping(&mut self) {
        let topic = self.one_of(&["http://p.test/a", "http://p.test/b", "http://read.test/"]);
        self.story
            .post(&format!("hub.mode=publish&hub.url={topic}"))
            .unwrap();
    }

    fn answer(&mut self) {
        if self.outs.is_empty() {
            return;
        }
        let place = self.rng.below(self.outs.len() as u64) as usize;
        let out = self.outs.swap_remove(place);
        let challenge = out.param("hub.challenge").map(str::to_owned);
        match self.rng.below(8) {
            0 => self.story.faults(&out, Fault::Connect),
            1 => self.story.answer(&out, 404, "no"),
            2 => self.story.answer(&out, 503, ""),
            3 => self.story.answer(&out, 304, ""),
            4 => {
                let fields = "Location: http://else.test/x\r\n";
                self.story.answer_with(&out, 302, fields, b"");
            }
            _ => {
                let body = challenge.unwrap_or_else(|| self.rng.below(3).to_string());
                self.story.answer(&out, 200, &body);
            }
        }
    }

    /// A message for some topic becomes durable.
    fn offer(&mut self) {
        let topic = self.one_of(&["http://p.test/a", "http://p.test/b", "orders"]);
        let full = self.rng.below(2) == 0;
        let mut found = Vec::new();
        let topics = std::iter::once(topic.as_bytes());
        let now = self.story.turn.now.mono;
        self.story.hub.callbacks(now, topics, full, &mut found);
        for callback in found {
            let to = callback.subscription;
            let delivery = self.deliveries.insert(to).unwrap();
            self.story.hub.offered(delivery, to, full);
        }
    }

    fn attempt(&mut self) {
        let Some(delivery) = self.going.first().copied() else {
            return;
        };
        let status = [200, 200, 500, 410][self.rng.below(4) as usize];
        let over = status != 500;
        self.report(delivery, Some(&answered(status, None)), over);
    }

    fn report(&mut self, delivery: Key, ending: Option<&Ending>, over: bool) {
        let Some(to) = self.deliveries.get(delivery).copied() else {
            return;
        };
        if over {
            self.deliveries.remove(delivery);
            self.going.retain(|it| *it != delivery);
        }
        let (hub, turn) = (&mut self.story.hub, &mut self.story.turn);
        hub.reported(turn, (delivery, to), ending, over);
        self.story.check();
    }

    /// What the engine would do after each fact.
    fn carry(&mut self) {
        while let Some(decision) = self.story.hub.next_decision() {
            match decision {
                Decision::Release(key) => {
                    assert!(self.deliveries.contains(key), "what has ended is released");
                    assert!(!self.going.contains(&key), "released twice");
                    self.going.push(key);
                }
                Decision::Cancel(key, _) => self.report(key, None, true),
            }
        }
        while let Some((ticket, _)) = self.story.hub.next_verdict() {
            let place = self.waiting_for.iter().position(|it| *it == ticket);
            self.waiting_for
                .swap_remove(place.expect("a verdict for nobody"));
        }
        while let Some(content) = self.story.hub.next_content() {
            self.contents.push(content);
        }
        if self.rng.below(2) == 0
            && let Some(content) = self.contents.pop()
        {
            let kept = self.rng.below(4) > 0;
            let (hub, turn) = (&mut self.story.hub, &mut self.story.turn);
            hub.stored(turn, content.topic, kept);
            self.story.check();
        }
    }

    /// Peers answer no more, and leases end.
    fn end(&mut self) {
        for _ in 0..400 {
            self.outs.extend(std::iter::from_fn(|| self.story.call()));
            for out in std::mem::take(&mut self.outs) {
                self.story.answer(&out, 404, "");
            }
            self.carry();
            while let Some(delivery) = self.going.first().copied() {
                self.report(delivery, Some(&answered(200, None)), true);
                self.carry();
            }
            self.story.pass(DAY / 4);
        }
    }
}

#[test]
fn whatever_happens_nothing_is_left() {
    let mut confirmed = 0;
    for seed in 0..SEEDS {
        let mut chaos = Chaos::new(seed);
        for _ in 0..STEPS {
            chaos.step();
        }
        chaos.end();
        let turn = &mut chaos.story.turn;
        turn.settled(turn.handed.last());
        confirmed += chaos.story.count(Counter::VerificationsConfirmed);
        let hub = &chaos.story.hub;
        assert!(hub.is_empty(), "seed {seed}: {hub:?}");
        assert_eq!(chaos.story.turn.memory.held(), 0, "seed {seed}");
        assert!(chaos.story.turn.wheel.is_empty(), "seed {seed}: a timer");
        assert!(chaos.waiting_for.is_empty(), "seed {seed}: somebody waits");
        assert!(chaos.deliveries.is_empty(), "seed {seed}: a delivery waits");
    }
    assert!(confirmed > u64::from(SEEDS), "nothing much happened");
}
