//! Readers of the formats of streams, byte by byte, written apart from Hookah's encoder: lines,
//! counted messages, lines of JSON, and events as the HTML standard interprets them.
//! They take no byte on trust and know nothing of chunks, sockets or time.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hookah::http::json::scan;

/// Reads what is complete with the byte just read.
pub trait Decoder {
    /// What it gives.
    type Item;

    /// The next byte of the body.
    fn push(&mut self, byte: u8) -> Result<Option<Self::Item>, String>;

    /// Whether nothing is begun.
    fn is_idle(&self) -> bool;

    /// All that is complete with these bytes.
    fn feed(&mut self, bytes: &[u8]) -> Result<Vec<Self::Item>, String> {
        let items = bytes.iter().map(|byte| self.push(*byte));
        items.filter_map(Result::transpose).collect()
    }
}

/// A message's bytes, without the line end that every one has, or what filled the silence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A message or a notice.
    Text(Vec<u8>),
    /// An empty line.
    KeepAlive,
}

/// How many of these bodies stand in `got`, in their order, the last perhaps in part, with any
/// number of keep-alives between them: raw can be read only by who knows what is to come.
pub fn raw(mut got: &[u8], bodies: &[&[u8]]) -> Result<usize, String> {
    let mut count = 0;
    loop {
        let next = bodies.get(count).map(|body| [body, &b"\r\n"[..]].concat());
        let is_next = |next: &Vec<u8>| next.starts_with(got) || got.starts_with(next);
        match next.filter(is_next) {
            _ if got.is_empty() => return Ok(count),
            Some(next) if got.len() < next.len() => return Ok(count),
            Some(next) => {
                got = &got[next.len()..];
                count += 1;
            }
            None if got == b"\r" => return Ok(count),
            None => {
                let text = String::from_utf8_lossy(got).into_owned();
                let rest = got.strip_prefix(b"\r\n");
                got = rest.ok_or(format!("{text:?} instead of body {count}"))?;
            }
        }
    }
}

/// Lines that end with CRLF, as of JSON, or raw where no body holds a line break.
#[derive(Debug, Default)]
pub struct Lines(Vec<u8>);

impl Decoder for Lines {
    type Item = Item;

    fn push(&mut self, byte: u8) -> Result<Option<Item>, String> {
        let after_cr = self.0.last() == Some(&b'\r');
        if after_cr != (byte == b'\n') {
            return Err(format!("a bare line end behind {:?}", self.0));
        }
        if !after_cr {
            self.0.push(byte);
            return Ok(None);
        }
        self.0.pop();
        let line = std::mem::take(&mut self.0);
        Ok(Some(match line.is_empty() {
            true => Item::KeepAlive,
            false => Item::Text(line),
        }))
    }

    fn is_idle(&self) -> bool {
        self.0.is_empty()
    }
}

/// Messages behind their lengths, `delimited=length`.
#[derive(Debug, Default)]
pub struct Counted {
    text: Vec<u8>,
    /// Of the message under way: its bytes with its line end.
    length: Option<usize>,
}

impl Decoder for Counted {
    type Item = Item;

    fn push(&mut self, byte: u8) -> Result<Option<Item>, String> {
        self.text.push(byte);
        let is_over = match self.length {
            Some(length) => self.text.len() == length,
            None => byte == b'\n',
        };
        if !is_over {
            return Ok(None);
        }
        let text = std::mem::take(&mut self.text);
        let line = text.strip_suffix(b"\r\n");
        let line = line.ok_or_else(|| format!("{text:?} does not end with CRLF"))?;
        if self.length.take().is_some() {
            return Ok(Some(Item::Text(line.to_vec())));
        }
        if line.is_empty() {
            return Ok(Some(Item::KeepAlive));
        }
        let digits = line.iter().all(u8::is_ascii_digit) && line[0] != b'0';
        let number = std::str::from_utf8(line).ok().filter(|_| digits);
        let number: Option<usize> = number.and_then(|number| number.parse().ok());
        let number = number.filter(|number| *number >= 2);
        self.length = Some(number.ok_or_else(|| format!("{line:?} is no length"))?);
        Ok(None)
    }

    fn is_idle(&self) -> bool {
        self.text.is_empty() && self.length.is_none()
    }
}

/// What a line of JSON says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// A message.
    Message(Line),
    /// A notice: its kind and the object that belongs to it.
    Notice(String, String),
}

/// A message in JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its id.
    pub id: String,
    /// When it was accepted, in milliseconds since 1970.
    pub millis: u64,
    /// The topic's own bytes.
    pub topic: Vec<u8>,
    /// The media type.
    pub media_type: String,
    /// The body.
    pub content: Content,
}

/// A body in JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// `data`, as it stands.
    Data(String),
    /// `text`
    Text(String),
    /// `base64`
    Base64(Vec<u8>),
}

/// The members of an object in their order, names decoded, values as they stand.
pub fn members(json: &[u8]) -> Result<Vec<(String, String)>, String> {
    // A parser of another make has the first word on whether it is JSON at all.
    serde_json::from_slice::<&serde_json::value::RawValue>(json)
        .map_err(|error| error.to_string())?;
    let found = scan::object(json).map_err(|error| error.to_string())?;
    let piece = |range| String::from_utf8_lossy(&json[range]).into_owned();
    let pair = |member: Result<scan::Member, scan::Malformed>| {
        let member = member.map_err(|error| error.to_string())?;
        Ok((text(&piece(member.name))?, piece(member.value)))
    };
    found.ok_or("no object")?.map(pair).collect()
}

/// A string's text.
pub fn text(json: &str) -> Result<String, String> {
    serde_json::from_str(json).map_err(|error| format!("{json}: {error}"))
}

/// Bytes that stand in base64 in a string.
pub fn bytes(json: &str) -> Result<Vec<u8>, String> {
    let text = text(json)?;
    STANDARD.decode(text).map_err(|error| error.to_string())
}

/// Reads a line of JSON: exactly the members that there must be, in their order.
pub fn said(line: &[u8]) -> Result<Said, String> {
    let members = members(line)?;
    let mut members = members
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .peekable();
    if let Some((kind @ ("disconnect" | "warning" | "limit"), object)) = members.peek() {
        return Ok(Said::Notice(kind.to_string(), object.to_string()));
    }
    let mut value = |wanted: &str| {
        let found = members.next_if(|(name, _)| *name == wanted);
        found
            .map(|(_, value)| value.to_owned())
            .ok_or(format!("no {wanted}"))
    };
    let id = text(&value("id")?)?;
    let time = value("time")?;
    let (seconds, millis) = time.split_once('.').ok_or("time without milliseconds")?;
    let digits = format!("{seconds}{millis}");
    let millis = digits.parse().ok().filter(|_| millis.len() == 3);
    let lossy = text(&value("topic")?)?;
    let topic = match value("topic_base64") {
        Ok(exact) => bytes(&exact)?,
        Err(_) => lossy.clone().into_bytes(),
    };
    if String::from_utf8_lossy(&topic) != lossy {
        return Err(format!("{lossy} is not topic {topic:?}"));
    }
    let media_type = text(&value("type")?)?;
    let content = match members.next() {
        Some(("data", data)) => Content::Data(data.to_owned()),
        Some(("text", it)) => Content::Text(text(it)?),
        Some(("base64", it)) => Content::Base64(bytes(it)?),
        other => return Err(format!("{other:?} instead of the body")),
    };
    if let Some(more) = members.next() {
        return Err(format!("{more:?} behind the body"));
    }
    Ok(Said::Message(Line {
        id,
        millis: millis.ok_or("time is no number")?,
        topic,
        media_type,
        content,
    }))
}

/// What an event stream gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// An event, for whoever listens to its name.
    Event(Event),
    /// A comment's text, which scripts never see.
    Comment(String),
    /// A new reconnection time in milliseconds.
    Retry(u64),
}

/// An event as EventSource dispatches it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// `lastEventId`: stays until another one is given.
    pub id: String,
    /// Whether the event itself has it.
    pub has_id: bool,
    /// The name; `message` if none is given.
    pub name: String,
    /// The lines of data, joined with LF.
    pub data: String,
}

/// An event stream (HTML standard section 9.2.6).
#[derive(Debug, Default)]
pub struct Events {
    line: Vec<u8>,
    /// A LF now would belong to the CR before it.
    after_cr: bool,
    /// Any line was complete.
    begun: bool,
    last_id: String,
    has_id: bool,
    name: String,
    data: String,
}

impl Decoder for Events {
    type Item = Heard;

    fn push(&mut self, byte: u8) -> Result<Option<Heard>, String> {
        let after_cr = std::mem::replace(&mut self.after_cr, byte == b'\r');
        match byte {
            b'\n' if after_cr => Ok(None),
            b'\r' | b'\n' => {
                let line = std::mem::take(&mut self.line);
                let first = !std::mem::replace(&mut self.begun, true);
                let line = String::from_utf8_lossy(&line);
                let line = line
                    .strip_prefix('\u{feff}')
                    .filter(|_| first)
                    .unwrap_or(&line);
                Ok(self.interpret(line))
            }
            _ => {
                self.line.push(byte);
                Ok(None)
            }
        }
    }

    fn is_idle(&self) -> bool {
        self.line.is_empty() && self.data.is_empty() && self.name.is_empty()
    }
}

impl Events {
    fn interpret(&mut self, line: &str) -> Option<Heard> {
        if line.is_empty() {
            return self.dispatch();
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = match field {
            "" => return Some(Heard::Comment(value.to_owned())),
            _ => value.strip_prefix(' ').unwrap_or(value),
        };
        match field {
            "event" => self.name = value.to_owned(),
            "data" => {
                self.data.push_str(value);
                self.data.push('\n');
            }
            "id" if !value.contains('\0') => {
                self.last_id = value.to_owned();
                self.has_id = true;
            }
            "retry" if !value.is_empty() && value.bytes().all(|it| it.is_ascii_digit()) => {
                return value.parse().ok().map(Heard::Retry);
            }
            _ => {}
        }
        None
    }

    fn dispatch(&mut self) -> Option<Heard> {
        let (name, mut data) = (
            std::mem::take(&mut self.name),
            std::mem::take(&mut self.data),
        );
        let has_id = std::mem::take(&mut self.has_id);
        if data.is_empty() {
            return None;
        }
        data.pop();
        let name = if name.is_empty() {
            "message".into()
        } else {
            name
        };
        let id = self.last_id.clone();
        Some(Heard::Event(Event {
            id,
            has_id,
            name,
            data,
        }))
    }
}
