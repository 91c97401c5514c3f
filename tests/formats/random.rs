//! Random messages in every format, cut at random, come back from the readers as they went in.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hookah::base::rng::Rng;
use hookah::http::body::BodyReader;
use hookah::http::chunk::ChunkReader;
use hookah::model::{Message, MessageId};
use hookah::topics::format::{Format, Framing, Scratch, Style, payload};

use crate::decode::{self, Content, Counted, Decoder, Event, Events, Heard, Item, Lines, Said};
use crate::message;

const MEDIA_TYPES: [&str; 7] = [
    "application/x-www-form-urlencoded",
    "application/json",
    "multipart/form-data; boundary=b",
    "text/plain",
    "application/octet-stream",
    "",
    "\"odd\\type\"",
];
/// Pieces that bodies are made of: what any of the formats gives a meaning to.
const PIECES: [&[u8]; 16] = [
    b"a=1",
    b"&",
    b"=",
    b"%22",
    b"+",
    b"\r\n",
    b"\r",
    b"\n",
    b"{}",
    b"\"",
    b"[1,",
    b"data: x",
    b"\xe2\x9c\x93",
    b"\xff",
    b"\0",
    b":",
];

#[test]
fn readers_get_back_what_was_published() {
    let mut rng = Rng::new([9; 32]);
    for round in 0..300 {
        let messages: Vec<_> = (1..=rng.below(8)).map(|n| random(&mut rng, n)).collect();
        let topic: &[u8] = if rng.below(2) == 0 { b"t" } else { b"\xe9\r\n" };
        for style in (0..Style::COUNT).map(Style::from_index) {
            let body = written(&mut rng, style, &messages, topic);
            let body = match style.framing {
                Framing::Chunked => joined(&mut rng, &body),
                Framing::Plain => body,
            };
            let what = format!("round {round}, {style:?}");
            check(style.format, &body, &messages, topic).expect(&what);
        }
    }
}

fn random(rng: &mut Rng, number: u64) -> Message {
    let media_type = MEDIA_TYPES[rng.below(MEDIA_TYPES.len() as u64) as usize];
    let mut body = Vec::new();
    for _ in 0..rng.below(12) {
        body.extend_from_slice(PIECES[rng.below(PIECES.len() as u64) as usize]);
    }
    let event = (rng.below(3) == 0).then_some("user.created");
    message(MessageId(number.into()), media_type, event, &body)
}

/// A whole body: messages with keep-alives between them, then a notice and the end.
fn written(rng: &mut Rng, style: Style, messages: &[Message], topic: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut scratch = Scratch::default();
    for message in messages {
        let frame = style.format.encode(message, topic, &mut scratch);
        match style.framing {
            Framing::Chunked => out.extend_from_slice(&frame),
            Framing::Plain => out.extend_from_slice(payload(&frame)),
        }
        if !is_raw(style.format) && rng.below(3) == 0 {
            out.extend_from_slice(style.keep_alive());
        }
    }
    let mut notice = Vec::new();
    style.format.limit(3, &mut notice);
    out.extend_from_slice(&style.frame_notice(&notice));
    out.extend_from_slice(style.terminator());
    out
}

/// The payload of chunks that come in random pieces.
fn joined(rng: &mut Rng, chunks: &[u8]) -> Vec<u8> {
    let mut reader = BodyReader::Chunked(ChunkReader::new(1 << 20));
    let (mut body, mut at, mut end) = (Vec::new(), 0, 0);
    loop {
        let piece = reader.read(&chunks[at..end]).expect("chunks");
        body.extend_from_slice(piece.data);
        at += piece.consumed;
        if piece.done {
            assert_eq!(at, chunks.len(), "bytes behind the last chunk");
            return body;
        }
        if piece.consumed == 0 {
            assert!(end < chunks.len(), "the last chunk is missing");
            end = chunks.len().min(end + 1 + rng.below(20) as usize);
        }
    }
}

/// Empty bodies and line breaks cannot be told from keep-alives there.
fn is_raw(format: Format) -> bool {
    format == Format::Raw
}

fn check(format: Format, body: &[u8], messages: &[Message], topic: &[u8]) -> Result<(), String> {
    let limit = || Some(Said::Notice("limit".into(), "{\"track\":3}".into()));
    let lines = |items: Vec<Item>| {
        let texts = items.into_iter().filter_map(|item| match item {
            Item::Text(text) => Some(text),
            Item::KeepAlive => None,
        });
        texts.collect::<Vec<_>>()
    };
    match format {
        Format::Raw => {
            let bodies: Vec<&[u8]> = messages.iter().map(|it| &*it.body).collect();
            assert_eq!(decode::raw(body, &bodies)?, messages.len());
        }
        Format::RawLength => {
            let bodies: Vec<_> = messages.iter().map(|it| it.body.to_vec()).collect();
            assert_eq!(lines(whole(Counted::default(), body)?), bodies);
        }
        Format::Json | Format::JsonLength => {
            let lines = lines(match format {
                Format::Json => whole(Lines::default(), body)?,
                _ => whole(Counted::default(), body)?,
            });
            let said = lines.iter().map(|line| decode::said(line));
            let mut said = said.collect::<Result<Vec<_>, _>>()?;
            assert_eq!(said.pop(), limit());
            same(&said, messages, topic);
        }
        Format::JsonRaw => bodies(lines(whole(Lines::default(), body)?), messages, limit()),
        Format::Sse | Format::SseRaw => {
            let mut events = events(whole(Events::default(), body)?);
            let notice = events.pop().ok_or("no notice")?;
            assert_eq!((&*notice.name, notice.has_id), ("limit", false));
            assert_eq!(notice.data, "{\"limit\":{\"track\":3}}");
            named(&events, messages);
            let data = events.iter().map(|event| &event.data);
            if format == Format::Sse {
                let said = data.map(|data| decode::said(data.as_bytes()));
                same(&said.collect::<Result<Vec<_>, _>>()?, messages, topic);
            } else {
                let bodies = messages.iter().map(|it| String::from_utf8_lossy(&it.body));
                let bodies = bodies.map(|it| it.replace("\r\n", "\n").replace('\r', "\n"));
                assert!(data.eq(&bodies.collect::<Vec<_>>()));
            }
        }
    }
    Ok(())
}

/// Each line has the body as it was published, whatever its type, as text if that is UTF-8.
fn bodies(mut lines: Vec<Vec<u8>>, messages: &[Message], limit: Option<Said>) {
    assert_eq!(decode::said(&lines.pop().unwrap()).ok(), limit);
    assert_eq!(lines.len(), messages.len());
    for (line, message) in lines.iter().zip(messages) {
        let line: serde_json::Value = serde_json::from_slice(line).unwrap();
        let id = String::from_utf8_lossy(&message.id.text()).into_owned();
        assert_eq!(line["id"], id);
        match std::str::from_utf8(&message.body) {
            Ok(text) => assert_eq!(line["text"], text),
            Err(_) => assert_eq!(line["base64"], STANDARD.encode(&*message.body)),
        }
        assert_eq!(line["data"], serde_json::Value::Null);
    }
}

fn whole<D: Decoder>(mut decoder: D, body: &[u8]) -> Result<Vec<D::Item>, String> {
    let items = decoder.feed(body)?;
    assert!(decoder.is_idle(), "it ends within something");
    Ok(items)
}

/// The events but heartbeats.
fn events(heard: Vec<Heard>) -> Vec<Event> {
    let events = heard.into_iter().filter_map(|heard| match heard {
        Heard::Event(event) => Some(event),
        Heard::Comment(_) | Heard::Retry(_) => None,
    });
    events.filter(|event| event.name != "heartbeat").collect()
}

/// Ids and names are those of the messages.
fn named(events: &[Event], messages: &[Message]) {
    assert_eq!(events.len(), messages.len());
    for (event, message) in events.iter().zip(messages) {
        let name = message.extra.as_ref().and_then(|it| it.event.as_deref());
        assert_eq!(event.name, name.unwrap_or("message"));
        assert_eq!((&event.id, event.has_id), (&message.id.to_string(), true));
    }
}

/// What is in `data` is the fuzz target's business; all else is compared here.
fn same(said: &[Said], messages: &[Message], topic: &[u8]) {
    assert_eq!(said.len(), messages.len());
    for (said, message) in said.iter().zip(messages) {
        let Said::Message(line) = said else {
            panic!("{said:?} is no message");
        };
        assert_eq!((&*line.topic, line.millis), (topic, 1_763_880_000_123));
        assert_eq!(line.id, message.id.to_string());
        assert_eq!(line.media_type, message.content_type);
        match &line.content {
            Content::Data(_) => {}
            Content::Text(text) => assert_eq!(text.as_bytes(), &*message.body),
            Content::Base64(bytes) => assert_eq!(bytes, &*message.body),
        }
    }
}
