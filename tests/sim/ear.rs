//! How a reader understands a stream in its format, byte by byte: each message, notice or filling
//! is one unit. It knows no chunks and no time.

use crate::decode::{Content, Counted, Decoder, Event, Events, Heard, Item, Lines, Said, said};

/// The formats of streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Lines.
    Raw,
    /// Counted bodies.
    RawLength,
    /// Lines of JSON.
    Json,
    /// Counted lines of JSON.
    JsonLength,
    /// Lines of JSON with the body.
    JsonRaw,
    /// Events with JSON.
    Sse,
    /// Events with the body.
    SseRaw,
}

impl Format {
    /// Whether it is made of events.
    pub fn is_sse(self) -> bool {
        matches!(self, Format::Sse | Format::SseRaw)
    }

    /// Whether its readers are told of what is no message.
    pub fn has_notices(self) -> bool {
        !matches!(self, Format::Raw | Format::RawLength)
    }

    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Format::Raw | Format::RawLength => "application/x-www-form-urlencoded",
            Format::Json | Format::JsonLength | Format::JsonRaw => "application/x-ndjson",
            Format::Sse | Format::SseRaw => "text/event-stream",
        }
    }
}

/// What comes in one piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// A new pause before coming again, in milliseconds.
    pub retry: Option<u64>,
    /// The rest.
    pub what: What,
}

/// What a unit says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Nothing: an empty line or a comment.
    Blank,
    /// Nothing, in an event.
    Heartbeat,
    /// A message.
    Message(Got),
    /// A notice: its kind, and its object in JSON.
    Notice(String, String),
}

/// A message as far as its format tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Got {
    /// Its id.
    pub id: Option<String>,
    /// The topic under which it came.
    pub topic: Option<Vec<u8>>,
    /// The body.
    pub body: Body,
}

/// A message's body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// As it was published.
    Raw(Vec<u8>),
    /// As a value of JSON, with the media type.
    Json(String, Content),
}

#[derive(Debug)]
enum Tongue {
    Lines(Lines),
    Counted(Counted),
    Events(Events),
}

/// The reader.
#[derive(Debug)]
pub struct Ear {
    format: Format,
    tongue: Tongue,
    /// Parts of an event.
    heard: Vec<Heard>,
    last: u8,
    idle: bool,
}

impl Ear {
    /// One that has heard nothing.
    pub fn new(format: Format) -> Ear {
        let tongue = match format {
            Format::Raw | Format::Json | Format::JsonRaw => Tongue::Lines(Lines::default()),
            Format::RawLength | Format::JsonLength => Tongue::Counted(Counted::default()),
            Format::Sse | Format::SseRaw => Tongue::Events(Events::default()),
        };
        Ear {
            format,
            tongue,
            heard: Vec::new(),
            last: 0,
            idle: true,
        }
    }

    /// Whether no unit is begun.
    pub fn is_idle(&self) -> bool {
        self.idle
    }

    /// The next byte; what is complete with it, or what is wrong.
    pub fn push(&mut self, byte: u8) -> Result<Option<Unit>, String> {
        let last = std::mem::replace(&mut self.last, byte);
        self.idle = false;
        let item = match &mut self.tongue {
            Tongue::Lines(lines) => lines.push(byte)?,
            Tongue::Counted(counted) => counted.push(byte)?,
            Tongue::Events(events) => {
                self.heard.extend(events.push(byte)?);
                if (last, byte) != (b'\n', b'\n') {
                    return Ok(None);
                }
                self.idle = true;
                return self.event().map(Some);
            }
        };
        let Some(item) = item else { return Ok(None) };
        self.idle = true;
        let what = match (item, self.format) {
            (Item::KeepAlive, _) => What::Blank,
            (Item::Text(body), Format::Raw | Format::RawLength) => What::Message(Got {
                id: None,
                topic: None,
                body: Body::Raw(body),
            }),
            (Item::Text(line), Format::JsonRaw) => as_published(json(&line)?)?,
            (Item::Text(line), _) => json(&line)?,
        };
        Ok(Some(Unit { retry: None, what }))
    }

    fn event(&mut self) -> Result<Unit, String> {
        let mut heard = std::mem::take(&mut self.heard).into_iter().peekable();
        let mut retry = None;
        if let Some(Heard::Retry(ms)) = heard.peek() {
            retry = Some(*ms);
            heard.next();
        }
        let first = heard.next().ok_or("an empty event")?;
        if let Some(more) = heard.next() {
            return Err(format!("{more:?} behind {first:?}"));
        }
        let what = match first {
            Heard::Comment(text) if text.is_empty() => What::Blank,
            Heard::Event(event) => self.said(event)?,
            other => return Err(format!("{other:?} in a stream")),
        };
        Ok(Unit { retry, what })
    }

    fn said(&self, event: Event) -> Result<What, String> {
        if event.name == "heartbeat" && event.data.is_empty() && !event.has_id {
            return Ok(What::Heartbeat);
        }
        if !event.has_id {
            return match json(event.data.as_bytes())? {
                What::Notice(kind, object) if kind == event.name => Ok(What::Notice(kind, object)),
                other => Err(format!("{other:?} in an event without id: {event:?}")),
            };
        }
        if event.name != "message" {
            return Err(format!("{event:?} has a name"));
        }
        if self.format == Format::SseRaw {
            return Ok(What::Message(Got {
                id: Some(event.id),
                topic: None,
                body: Body::Raw(event.data.into_bytes()),
            }));
        }
        match json(event.data.as_bytes())? {
            What::Message(got) if got.id.as_ref() == Some(&event.id) => Ok(What::Message(got)),
            other => Err(format!("{other:?} as {}", event.id)),
        }
    }
}

fn json(line: &[u8]) -> Result<What, String> {
    Ok(match said(line)? {
        Said::Notice(kind, object) => What::Notice(kind, object),
        Said::Message(line) => What::Message(Got {
            id: Some(line.id),
            topic: Some(line.topic),
            body: Body::Json(line.media_type, line.content),
        }),
    })
}

/// The body that stands there as text or in base64, whatever its type.
fn as_published(what: What) -> Result<What, String> {
    let What::Message(mut got) = what else {
        return Ok(what);
    };
    got.body = match got.body {
        Body::Json(_, Content::Text(text)) => Body::Raw(text.into_bytes()),
        Body::Json(_, Content::Base64(bytes)) => Body::Raw(bytes),
        other => return Err(format!("{other:?} is not as it was published")),
    };
    Ok(What::Message(got))
}
