//! Random steps against a model that keeps every message ever published and knows nothing of rings.

use super::*;
use crate::base::rng::Rng;
use crate::topics::filter::Filter;
use crate::topics::wish::{Cursor, Selection};

const NAMES: [&str; 6] = ["a", "ab", "abc", "b", "bb", "$c"];
const PREFIXES: [&str; 4] = ["", "a", "ab", "x"];
const KEEPS: usize = 4;
const AGE: u64 = 60_000_000;

/// A reader, and what it must still get.
struct Reader {
    line: Key,
    seat: Seat,
    wish: Wish,
    owed: Vec<Arc<Message>>,
}

struct Model {
    rng: Rng,
    topics: Topics,
    now: u64,
    published: Vec<(Arc<Message>, u64)>,
    readers: Vec<Reader>,
    places: Slab<()>,
}

fn selects(selection: &Selection, message: &Message) -> bool {
    let listed = |name: &[u8]| {
        let exact = selection.topics.iter().any(|it| **it == *name);
        exact || selection.prefixes.iter().any(|it| name.starts_with(it))
    };
    let filter = |filter: &Filter| filter.lets_through(message);
    message.topics.iter().any(listed) && selection.filter.as_ref().is_none_or(filter)
}

impl Model {
    fn new(seed: u8) -> Model {
        let settings = Settings {
            backlog_messages: KEEPS,
            backlog_age: Duration::from_micros(AGE),
            ..Settings::default()
        };
        Model {
            rng: Rng::new([seed; 32]),
            topics: topics(settings),
            now: 1,
            published: Vec::new(),
            readers: Vec::new(),
            places: Slab::with_bound(1_000),
        }
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.rng.below(from.len() as u64) as usize]
    }

    fn publish(&mut self) {
        let count = self.rng.below(3) + 1;
        let names: Vec<&str> = (0..count).map(|_| self.pick(&NAMES)).collect();
        let number = self.published.len() as u64 + 1;
        let body = format!("n={number}&x={}", self.rng.below(3));
        let message = message(number, &names, &body);
        self.topics.publish(&message, Mono(self.now));
        for reader in &mut self.readers {
            if selects(&reader.wish.selection, &message) {
                reader.owed.push(Arc::clone(&message));
            }
        }
        self.published.push((message, self.now));
        while self.topics.next_woken().is_some() {}
    }

    /// Whether a topic still keeps a message.
    fn keeps(&self, name: &[u8], message: &Message) -> bool {
        let under = |it: &&(Arc<Message>, u64)| it.0.topics.iter().any(|known| known == name);
        let newer = self.published.iter().rev().filter(under);
        let mut place = newer.clone().take(KEEPS);
        place.any(|(it, at)| it.id == message.id && at + AGE > self.now)
    }

    /// What a cursor has behind it, as far as it is kept.
    fn behind(&self, wish: &Wish) -> Vec<Arc<Message>> {
        let kept = |message: &Message| {
            message.topics.iter().any(|name| {
                let listed = wish.selection.topics.iter().any(|it| **it == *name)
                    || wish
                        .selection
                        .prefixes
                        .iter()
                        .any(|it| name.starts_with(it));
                listed && self.keeps(name, message)
            })
        };
        let all = self.published.iter().map(|(message, _)| message);
        let mut all: Vec<_> = all
            .filter(|message| selects(&wish.selection, message) && kept(message))
            .cloned()
            .collect();
        match wish.cursor {
            Cursor::Now => all.clear(),
            Cursor::All => {}
            Cursor::Last(count) => {
                all.drain(..all.len().saturating_sub(count as usize));
            }
            Cursor::After(id) => all.retain(|message| message.id > id),
            Cursor::Since(at) => all.retain(|message| message.accepted >= at),
        }
        all
    }

    fn join(&mut self) {
        let mut query = String::new();
        for _ in 0..self.rng.below(3) {
            query += &format!("&topic={}", self.pick(&NAMES));
        }
        if self.rng.below(3) == 0 || query.is_empty() {
            query += &format!("&prefix={}", self.pick(&PREFIXES));
        }
        if self.rng.below(4) == 0 {
            query += &format!("&where.x={}", self.rng.below(3));
        }
        let mut wish = wish(&query);
        // Selections must be tested with $-topics too, whatever right they need.
        let after = id(self.rng.below(self.published.len() as u64 + 2));
        wish.cursor = match self.rng.below(6) {
            0 | 1 => Cursor::Now,
            2 => Cursor::All,
            3 => Cursor::Last(self.rng.below(6) as u32 + 1),
            4 => Cursor::Since(Wall((after.0 >> 80) as u64 * 1_000)),
            _ => Cursor::After(after),
        };
        let owed = self.behind(&wish);
        let line = self.places.insert(()).unwrap();
        let joined = self.topics.join(&wish, line).unwrap();
        assert_eq!(
            joined.end - joined.seat.at,
            owed.len() as u64,
            "{wish:?} of {} published",
            self.published.len()
        );
        self.judge_resume(&wish, &joined, &owed);
        self.readers.push(Reader {
            line,
            seat: joined.seat,
            wish,
            owed,
        });
    }

    /// `continue` is a promise: everything behind the cursor is there.
    fn judge_resume(&self, wish: &Wish, joined: &Joined, owed: &[Arc<Message>]) {
        let Cursor::After(cursor) = wish.cursor else {
            return;
        };
        let all = self.published.iter().map(|(message, _)| message);
        let wanted = all.filter(|it| it.id > cursor && selects(&wish.selection, it));
        let complete = wanted.count() == owed.len();
        if joined.resume == Some(format::Resume::Continue) {
            assert!(complete, "{wish:?} lacks something and was not told");
        }
    }

    fn pass(&mut self) {
        if self.readers.is_empty() {
            return;
        }
        let place = self.rng.below(self.readers.len() as u64) as usize;
        let reader = &mut self.readers[place];
        let count = self.rng.below(reader.owed.len() as u64 + 1) as usize;
        let feed = self.topics.feed(reader.seat.channel, reader.wish.style);
        for (step, message) in reader.owed.drain(..count).enumerate() {
            let frame = feed.frame(reader.seat.at + step as u64).expect("a frame");
            let body = format::payload(frame);
            assert_eq!(body.strip_suffix(b"\r\n"), Some(&*message.body));
        }
        if reader.owed.is_empty() {
            let end = reader.seat.at + count as u64;
            assert!(feed.frame(end).is_none(), "more than was published");
        }
        let (from, to) = (reader.seat.at, reader.seat.at + count as u64);
        let mut reading = self.topics.reading(reader.seat.channel).unwrap();
        reading.passed(from, to);
        reader.seat.at = to;
    }

    fn leave(&mut self) {
        if self.readers.is_empty() {
            return;
        }
        let place = self.rng.below(self.readers.len() as u64) as usize;
        let reader = self.readers.swap_remove(place);
        self.places.remove(reader.line);
        if let Some(moved) = self.topics.leave(reader.seat) {
            let mut readers = self.readers.iter_mut();
            let moved = readers.find(|it| it.line == moved).unwrap();
            moved.seat.place = reader.seat.place;
        }
    }

    fn age(&mut self) {
        self.now += self.rng.below(AGE / 2);
        while let Some(at) = self.topics.sweep(Mono(self.now)) {
            if at > Mono(self.now) {
                break;
            }
        }
    }
}

#[test]
fn readers_get_what_a_naive_model_says() {
    for seed in 0..8 {
        let mut model = Model::new(seed);
        for step in 0..1_500 {
            match model.rng.below(20) {
                0..8 => model.publish(),
                8..11 => model.join(),
                11..17 => model.pass(),
                17..19 => model.leave(),
                _ => model.age(),
            }
            if step % 10 == 0 {
                model.topics.check();
            }
        }
        while !model.readers.is_empty() {
            model.leave();
        }
        model.now += 3 * AGE;
        assert_eq!(model.topics.sweep(Mono(model.now)), None);
        model.topics.check();
        assert!(model.topics.is_empty());
        assert_eq!(model.topics.bytes(), 0);
    }
}
