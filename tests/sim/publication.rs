//! A message that somebody is to publish, and what each format must make of it.

use hookah::model::MessageId;
use serde_json::{Map, Value};

use crate::asks::Asks;
use crate::decode::Content;
use crate::ear::{Body, Got};

/// A message that somebody is to publish.
#[derive(Clone, Debug)]
pub struct Publication {
    /// The topics as the publisher names them; one may be named twice.
    pub topics: Vec<String>,
    /// The body that readers must see.
    pub body: Vec<u8>,
    /// Whether the body is JSON; else it is a form.
    pub json: bool,
    /// The body's fields, decoded.
    pub fields: Vec<(String, String)>,
    /// Whether it goes to a target too.
    pub has_target: bool,
    /// Its client was told no.
    pub refused: bool,
    /// Its id, once it is durable.
    pub id: Option<MessageId>,
}

impl Publication {
    /// A form.
    pub fn form(topics: &[String], body: Vec<u8>, has_target: bool) -> Publication {
        Publication {
            topics: topics.to_vec(),
            fields: fields(&body),
            json: false,
            body,
            has_target,
            refused: false,
            id: None,
        }
    }

    /// An object of JSON with these fields.
    pub fn json(topics: &[String], fields: Vec<(String, String)>) -> Publication {
        let pair = |(name, value): &(String, String)| (name.clone(), Value::from(&**value));
        let object = Value::Object(fields.iter().map(pair).collect());
        let mut publication = Publication::form(topics, object.to_string().into(), false);
        (publication.json, publication.fields) = (true, fields);
        publication
    }

    /// Its topics, each once.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for topic in &self.topics {
            if !names.contains(topic) {
                names.push(topic.clone());
            }
        }
        names
    }

    /// Whether a reader that asks that must get it.
    pub fn matches(&self, asks: &Asks) -> bool {
        self.topics.iter().any(|topic| asks.reads(topic)) && asks.lets_through(&self.fields)
    }

    /// What is wrong with it as a reader got it, if anything. One that was kept comes under the
    /// first of its topics that keep it still.
    pub fn check(&self, asks: &Asks, got: &Got, kept: bool) -> Result<(), String> {
        let id = self.id.map(|id| id.to_string());
        if got.id.is_some() && got.id != id {
            return Err(format!("{:?} instead of {id:?}", got.id));
        }
        let names = self.topics.iter().filter(|topic| asks.reads(topic));
        let most = if kept { usize::MAX } else { 1 };
        let mut names = names.take(most).map(|topic| topic.as_bytes());
        if let Some(topic) = got
            .topic
            .as_deref()
            .filter(|it| !names.any(|name| name == *it))
        {
            let topic = String::from_utf8_lossy(topic);
            return Err(format!("under {topic:?} of {:?}", self.topics));
        }
        let right = match &got.body {
            Body::Raw(body) => *body == self.body,
            Body::Json(media_type, Content::Data(data)) if self.json => {
                media_type == "application/json" && data.as_bytes() == self.body
            }
            Body::Json(media_type, Content::Data(data)) => {
                let pair = |(name, value): &(String, String)| (name.clone(), value.clone().into());
                let object: Map<String, Value> = self.fields.iter().map(pair).collect();
                media_type == "application/x-www-form-urlencoded"
                    && serde_json::from_str(data).ok() == Some(Value::Object(object))
            }
            Body::Json(..) => false,
        };
        right.then_some(()).ok_or_else(|| format!("{got:?}"))
    }
}

/// The fields of a form, none of them twice.
fn fields(body: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(body);
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(name, value)| (decode(name), decode(value)))
        .collect()
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let mut digit = || rest.next().and_then(|it| char::from(it).to_digit(16));
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => (digit().expect("hex") * 16 + digit().expect("hex")) as u8,
            _ => byte,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
