//! What was published to topics, in the order in which it became durable, and the watches on the
//! readers' lines. It is a part of the oracle and changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use hookah::model::{Message, MessageId};
use hookah::port::{Seq, StoreDone};

use crate::net::LinkId;
use crate::readers::Asks;
use crate::watch::Watch;

/// A message that somebody is to publish.
#[derive(Clone, Debug)]
pub struct Publication {
    /// The topics as the publisher names them; one may be named twice.
    pub topics: Vec<String>,
    /// The body that readers must see.
    pub body: Vec<u8>,
    /// Whether it goes to a target too.
    pub has_target: bool,
    /// Its client was told no.
    pub refused: bool,
    /// Its id, once it is durable.
    pub id: Option<MessageId>,
}

/// A message in a topic's log.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its body.
    pub body: Vec<u8>,
    /// When it became durable.
    pub at: u64,
    plain_sum: usize,
    chunked_sum: usize,
}

impl Entry {
    /// Bytes on the wire up to its end, since the topic's beginning, without chunks if `old`.
    pub fn sum(&self, old: bool) -> usize {
        if old {
            self.plain_sum
        } else {
            self.chunked_sum
        }
    }
}

/// All that is known.
#[derive(Debug, Default)]
pub struct Feeds {
    /// All of them, by number.
    pub publications: Vec<Publication>,
    by_body: BTreeMap<Vec<u8>, usize>,
    waiting: Vec<(Seq, usize, MessageId)>,
    /// For each selection that somebody reads.
    logs: BTreeMap<String, Vec<Entry>>,
    /// What became durable, by number, and when.
    history: Vec<(usize, u64)>,
    ids: Vec<String>,
    /// Messages that no target gets.
    only_published: BTreeSet<MessageId>,
    watches: BTreeMap<LinkId, Watch>,
}

impl Feeds {
    /// Somebody is going to publish this; its number.
    pub fn publish(&mut self, topics: &[String], body: Vec<u8>, has_target: bool) -> usize {
        let number = self.publications.len();
        let before = self.by_body.insert(body.clone(), number);
        assert_eq!(before, None, "two publications are the same");
        self.publications.push(Publication {
            topics: topics.to_vec(),
            body,
            has_target,
            refused: false,
            id: None,
        });
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
        let mut expected: Vec<&str> = Vec::new();
        for topic in &self.publications[number].topics {
            if !expected.contains(&&**topic) {
                expected.push(topic);
            }
        }
        assert_eq!(topics, expected, "topics of publication {number}");
        self.waiting.push((seq, number, message.id));
    }

    /// The store has spoken, and the engine will hear it at once.
    pub fn stored(&mut self, at: u64, done: StoreDone) {
        let (StoreDone::Durable(up_to) | StoreDone::Failed(up_to)) = done;
        let settled = self.waiting.partition_point(|(seq, ..)| *seq <= up_to);
        for (_, number, id) in self.waiting.drain(..settled).collect::<Vec<_>>() {
            if matches!(done, StoreDone::Durable(_)) {
                self.durable(at, number, id);
            }
        }
    }

    fn durable(&mut self, at: u64, number: usize, id: MessageId) {
        self.ids.push(id.to_string());
        self.publications[number].id = Some(id);
        if !self.publications[number].has_target {
            self.only_published.insert(id);
        }
        let publication = &self.publications[number];
        self.history.push((number, at));
        let mut grown: Vec<String> = Vec::new();
        for watch in self.watches.values_mut() {
            if !watch.asks.reads(&publication.topics) {
                continue;
            }
            let selection = watch.asks.selection();
            let log = self.logs.entry(selection.clone()).or_default();
            if !grown.contains(&selection) {
                log.push(entry(log.last(), &publication.body, at));
                grown.push(selection);
            }
            watch.published(at, log);
        }
    }
}

/// A message's entry behind the last one of a log.
fn entry(last: Option<&Entry>, body: &[u8], at: u64) -> Entry {
    let (plain, chunked) = last.map_or((0, 0), |it| (it.plain_sum, it.chunked_sum));
    let line = body.len() + 2;
    Entry {
        body: body.to_vec(),
        at,
        plain_sum: plain + line,
        chunked_sum: chunked + line + format!("{line:x}\r\n\r\n").len(),
    }
}

/// Readers' lines; other links are none of its business.
impl Feeds {
    /// A reader's connection was taken in.
    pub fn opened(&mut self, link: LinkId, at: u64, asks: &Asks) {
        self.watches.insert(link, Watch::new(asks.clone(), at));
        self.logs.entry(asks.selection()).or_insert_with(|| {
            let mut log: Vec<Entry> = Vec::new();
            for (number, at) in &self.history {
                let publication = &self.publications[*number];
                if asks.reads(&publication.topics) {
                    log.push(entry(log.last(), &publication.body, *at));
                }
            }
            log
        });
    }

    /// The engine reads.
    pub fn read(&mut self, link: LinkId, bytes: usize) {
        if let Some(watch) = self.watches.get_mut(&link) {
            let end = self.logs.get(&watch.asks.selection()).map_or(0, Vec::len);
            watch.read(bytes, end, self.ids.len());
        }
    }

    /// The engine is told that a reader has finished, or that its line has ended.
    pub fn ended(&mut self, link: LinkId) {
        if let Some(watch) = self.watches.get_mut(&link) {
            let log = self.logs.get(&watch.asks.selection());
            watch.ended(log.map_or(&[], Vec::as_slice));
        }
    }

    /// The engine wrote, and was cut short if `cut`.
    pub fn wrote(&mut self, link: LinkId, at: u64, bytes: &[u8], cut: bool) {
        if let Some(watch) = self.watches.get_mut(&link) {
            let log = self.logs.get(&watch.asks.selection());
            let log = log.map_or(&[][..], Vec::as_slice);
            watch.wrote(at, bytes, cut, log, &self.ids);
        }
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
