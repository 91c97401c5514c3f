//! What was published to topics, in the order in which it became durable, and the watches on the
//! readers' lines. It is a part of the oracle and changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use hookah::model::{Message, MessageId};
use hookah::port::{Seq, StoreDone};
use hookah::store::memory::Book;
use hookah::topics;
use hookah::topics::keep::Rule;

use crate::asks::Asks;
use crate::kept::{Bounds, Edition, Published};
use crate::net::LinkId;
use crate::publication::Publication;
use crate::watch::Watch;

/// A message in the log of a selection.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its place in the history of all.
    pub place: usize,
    /// When it became durable.
    pub at: u64,
    /// Bytes of all bodies up to its end, since the log's beginning.
    pub least_sum: usize,
    /// More than any format makes of them.
    pub most_sum: usize,
}

/// What a watch may know.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// What its selection matches.
    pub log: &'a [Entry],
    /// What became durable.
    pub history: &'a [Published],
    /// What was to be published, by number.
    pub publications: &'a [Publication],
    /// What is kept, and since when.
    pub editions: &'a [Edition],
}

impl Known<'_> {
    /// The message at that place of the log.
    pub fn publication(&self, place: usize) -> &Publication {
        &self.publications[self.history[self.log[place].place].number]
    }
}

/// All that is known.
#[derive(Debug, Default)]
pub struct Feeds {
    /// All of them, by number.
    pub publications: Vec<Publication>,
    /// What all topics together may hold, in bytes.
    pub bytes_max: u64,
    by_body: BTreeMap<Vec<u8>, usize>,
    waiting: Vec<(Seq, usize, MessageId, usize)>,
    editions: Vec<Edition>,
    /// Silence before keep-alive bytes.
    keep_alive: u64,
    /// For each selection that somebody reads.
    logs: BTreeMap<String, Vec<Entry>>,
    history: Vec<Published>,
    /// Messages that no target gets.
    only_published: BTreeSet<MessageId>,
    watches: BTreeMap<LinkId, Watch>,
}

/// What topics may hold beside their bound: the newest message in every format, and their readers'
/// own places.
const BESIDE_BYTES: u64 = 128 << 10;

impl Feeds {
    /// What is kept from then on; `rules` are those of the settings.
    pub fn keeping(&mut self, since: u64, settings: &topics::Settings, rules: &[Rule]) {
        let others = Bounds {
            messages: settings.backlog_messages,
            bytes: settings.backlog_bytes,
            age: settings.backlog_age.as_micros() as u64,
            tight: settings.bytes_max < 16 << 20,
        };
        let of = |rule: &Rule| {
            let bounds = Bounds {
                messages: rule.messages.unwrap_or(others.messages),
                bytes: rule.bytes.unwrap_or(others.bytes),
                age: rule.age.map_or(others.age, |age| age.as_micros() as u64),
                tight: others.tight,
            };
            (String::from_utf8_lossy(&rule.name).into_owned(), bounds)
        };
        self.editions.push(Edition {
            since,
            others,
            rules: rules.iter().map(of).collect(),
        });
        self.keep_alive = settings.keep_alive.as_micros() as u64;
        self.bytes_max = settings.bytes_max as u64;
    }

    /// How often what is kept was another.
    pub fn editions(&self) -> usize {
        self.editions.len()
    }

    /// Messages that a topic keeps.
    pub fn backlog(&self) -> u64 {
        let last = self.editions.last();
        last.map_or(0, |edition| edition.others.messages as u64)
    }

    /// What all topics may hold at any time, in bytes.
    pub fn room(&self) -> u64 {
        let bodies = self.publications.iter().map(|it| it.body.len() as u64);
        self.bytes_max + BESIDE_BYTES + 8 * bodies.max().unwrap_or(0)
    }

    /// Somebody is going to publish this; its number.
    pub fn publish(&mut self, publication: Publication) -> usize {
        let number = self.publications.len();
        let before = self.by_body.insert(publication.body.clone(), number);
        assert_eq!(before, None, "two publications are the same");
        self.publications.push(publication);
        number
    }

    /// The watch on a reader's line.
    pub fn watch(&self, link: LinkId) -> &Watch {
        &self.watches[&link]
    }

    /// Whether nothing is ever delivered of that message, so that nothing of it ends.
    pub fn is_only_published(&self, id: MessageId) -> bool {
        self.only_published.contains(&id)
    }

    /// A publisher was told 202.
    pub fn promised(&self, number: usize, id: &str) {
        let known = self.publications[number].id.map(|id| id.to_string());
        assert_eq!(known.as_deref(), Some(id), "202 for publication {number}");
    }

    /// A message was handed to the store.
    pub fn accepted(&mut self, seq: Seq, message: &Message) {
        let topics: Vec<_> = message.topics.iter().map(String::from_utf8_lossy).collect();
        let Some(number) = self.by_body.get(&*message.body).copied() else {
            assert!(topics.is_empty(), "nobody publishes {topics:?}");
            return;
        };
        let expected = self.publications[number].names();
        assert_eq!(topics, expected, "topics of publication {number}");
        self.waiting
            .push((seq, number, message.id, message.bytes()));
    }

    /// The store has spoken, and the engine will hear it at once.
    pub fn stored(&mut self, at: u64, done: &StoreDone) {
        let (StoreDone::Durable(up_to) | StoreDone::Failed(up_to)) = *done else {
            return;
        };
        let settled = self.waiting.partition_point(|(seq, ..)| *seq <= up_to);
        for (_, number, id, bytes) in self.waiting.drain(..settled).collect::<Vec<_>>() {
            if matches!(done, StoreDone::Durable(_)) {
                self.publications[number].id = Some(id);
                if !self.publications[number].has_target {
                    self.only_published.insert(id);
                }
                self.history.push(Published {
                    number,
                    id: id.to_string(),
                    at,
                    bytes,
                    topics: self.publications[number].names(),
                });
                self.durable(at, number);
            }
        }
    }

    /// The process is gone: what waited is on the disk, or will never be.
    pub fn crashed(&mut self, at: u64, book: &Book) {
        let waiting = std::mem::take(&mut self.waiting);
        let (landed, _): (Vec<_>, Vec<_>) = waiting
            .into_iter()
            .partition(|(_, _, id, _)| book.message(*id).is_some());
        self.waiting = landed;
        self.stored(at, &StoreDone::Durable(Seq::MAX));
    }

    fn durable(&mut self, at: u64, number: usize) {
        let publication = &self.publications[number];
        let place = self.history.len() - 1;
        let mut grown: Vec<String> = Vec::new();
        let tight = self.editions.iter().any(|edition| edition.others.tight);
        for watch in self.watches.values_mut() {
            if !publication.matches(&watch.asks) {
                continue;
            }
            let selection = watch.asks.selection();
            let log = self.logs.entry(selection.clone()).or_default();
            if !grown.contains(&selection) {
                log.push(entry(log.last(), publication, place, at));
                grown.push(selection);
            }
            watch.published(at, log, tight);
        }
    }
}

/// A message's entry behind the last one of a log.
fn entry(last: Option<&Entry>, publication: &Publication, place: usize, at: u64) -> Entry {
    let (least, most) = last.map_or((0, 0), |it| (it.least_sum, it.most_sum));
    let body = publication.body.len();
    Entry {
        place,
        at,
        least_sum: least + body,
        // Nothing in these bodies needs more than two bytes for one, and names are short.
        most_sum: most + 2 * body + 1_024,
    }
}

/// Readers' lines; other links are none of its business.
impl Feeds {
    /// A reader's connection was taken in.
    pub fn opened(&mut self, link: LinkId, at: u64, asks: &Asks) {
        let watch = Watch::new(asks.clone(), at, self.keep_alive);
        self.watches.insert(link, watch);
        self.logs.entry(asks.selection()).or_insert_with(|| {
            let mut log: Vec<Entry> = Vec::new();
            for (place, published) in self.history.iter().enumerate() {
                let publication = &self.publications[published.number];
                if publication.matches(asks) {
                    log.push(entry(log.last(), publication, place, published.at));
                }
            }
            log
        });
    }

    fn watching(&mut self, link: LinkId) -> Option<(&mut Watch, Known<'_>)> {
        let watch = self.watches.get_mut(&link)?;
        let log = self.logs.get(&watch.asks.selection());
        let known = Known {
            log: log.map_or(&[][..], Vec::as_slice),
            history: &self.history,
            publications: &self.publications,
            editions: &self.editions,
        };
        Some((watch, known))
    }

    /// The engine reads.
    pub fn read(&mut self, link: LinkId, at: u64, bytes: usize) {
        if let Some((watch, known)) = self.watching(link) {
            watch.read(at, bytes, known.log.len(), known.history.len());
        }
    }

    /// The engine is told that a reader has finished, or that its line has ended.
    pub fn ended(&mut self, link: LinkId) {
        if let Some((watch, known)) = self.watching(link) {
            watch.ended(known.log.len());
        }
    }

    /// The engine wrote, and was cut short if `cut`.
    pub fn wrote(&mut self, link: LinkId, at: u64, bytes: &[u8], cut: bool) {
        if let Some((watch, known)) = self.watching(link) {
            watch.wrote(at, bytes, cut, &known);
        }
    }

    /// The token of a reader was taken away; whether its line is still there.
    pub fn revoked(&mut self, link: LinkId, at: u64) -> bool {
        let watch = self.watches.get_mut(&link);
        watch.is_some_and(|watch| watch.revoke(at))
    }

    /// The engine closed a line.
    pub fn closed(&mut self, link: LinkId, at: u64, draining: bool) {
        if let Some(watch) = self.watches.get_mut(&link) {
            watch.closed(at, draining);
        }
    }

    /// At rest: every line is closed, and every publication that was not refused is known.
    pub fn judge(&self) {
        for (number, publication) in self.publications.iter().enumerate() {
            let lost = publication.refused && publication.id.is_some();
            assert!(!lost, "publication {number} was refused and published");
        }
        self.watches.values().for_each(Watch::judge);
    }
}
