//! A reader of a stream as the stories need it: a strict reader of the head and of chunks, and a
//! decoder of the format on top. It shares no code with what it reads from, and knows no time.

use std::collections::VecDeque;

use crate::client::Client;
use crate::decode::{Counted, Decoder, Event, Events, Heard, Item, Line, Lines, Said, said};
use crate::message::{Head, Wire};
use crate::server::Server;

/// A request to /stream of which nothing is read yet.
pub struct Asked {
    wire: Wire,
    chunked: bool,
    /// It was looked at.
    head: Option<Head>,
}

/// A stream in a format.
pub struct Stream<D: Decoder> {
    pub head: Head,
    pub wire: Wire,
    /// HTTP/1.1; otherwise the body goes to the end of the connection.
    chunked: bool,
    over: bool,
    decoder: D,
    items: VecDeque<D::Item>,
}

/// Asks for a stream, and reads nothing of it.
pub fn asked(server: &Server, query: &str) -> Asked {
    Asked::with(server, &get(query, ""))
}

/// A GET of /stream; `fields` are header lines, each with its end.
pub fn get(query: &str, fields: &str) -> String {
    format!("GET /stream?{query} HTTP/1.1\r\nHost: h\r\n{fields}\r\n")
}

/// A stream of lines: raw, or json.
pub fn lines(server: &Server, query: &str) -> Stream<Lines> {
    asked(server, query).lines()
}

/// A stream with `delimited=length`.
pub fn counted(server: &Server, query: &str) -> Stream<Counted> {
    asked(server, query).counted()
}

/// A stream of events; and the `retry:` it begins with.
pub fn events(server: &Server, query: &str) -> (Stream<Events>, u64) {
    asked(server, query).events()
}

impl Asked {
    pub fn with(server: &Server, request: &str) -> Asked {
        let mut client = Client::connect(server.addr());
        client.send(request);
        Asked {
            wire: client.wire,
            chunked: !request.contains("HTTP/1.0"),
            head: None,
        }
    }

    /// The stream that was asked for last on a connection whose other answers have come.
    pub fn on(client: Client) -> Asked {
        Asked {
            wire: client.wire,
            chunked: true,
            head: None,
        }
    }

    /// Whether the answer is a whole one, and no stream.
    #[allow(dead_code)]
    pub fn is_turned_away(&mut self) -> bool {
        let wire = &mut self.wire;
        let head = self
            .head
            .get_or_insert_with(|| wire.head().expect("a head"));
        head.fields.get("Content-Length").is_some()
    }

    pub fn lines(self) -> Stream<Lines> {
        let mut stream = self.begins();
        assert_eq!(stream.next(), Some(Item::KeepAlive), "the first bytes");
        stream
    }

    pub fn counted(self) -> Stream<Counted> {
        let mut stream = self.begins();
        assert_eq!(stream.next(), Some(Item::KeepAlive), "the first bytes");
        stream
    }

    pub fn events(self) -> (Stream<Events>, u64) {
        let mut stream: Stream<Events> = self.begins();
        let Some(Heard::Retry(retry)) = stream.next() else {
            panic!("no retry at the beginning")
        };
        assert_eq!(stream.next(), Some(Heard::Comment(String::new())));
        (stream, retry)
    }

    /// Its head comes, which has all that streams.md section 2 wants.
    fn begins<D: Decoder + Default>(mut self) -> Stream<D> {
        let head = self
            .head
            .take()
            .or_else(|| self.wire.head())
            .expect("a head");
        assert_eq!(head.start, "HTTP/1.1 200 OK", "{head:?}");
        let framing = match self.chunked {
            true => [("Transfer-Encoding", Some("chunked")), ("Connection", None)],
            false => [("Transfer-Encoding", None), ("Connection", Some("close"))],
        };
        let rows = [
            ("Content-Length", None),
            ("Cache-Control", Some("no-store, no-transform")),
            ("X-Accel-Buffering", Some("no")),
            ("X-Content-Type-Options", Some("nosniff")),
        ];
        for (name, value) in framing.into_iter().chain(rows) {
            assert_eq!(head.fields.get(name), value, "{name}");
        }
        let date = head.fields.get("Date").expect("a date");
        assert!(httpdate::parse_http_date(date).is_ok(), "{date}");
        Stream {
            head,
            wire: self.wire,
            chunked: self.chunked,
            over: false,
            decoder: D::default(),
            items: VecDeque::new(),
        }
    }
}

impl<D: Decoder> Stream<D> {
    /// What comes next; `None` at its end, behind which nothing may come.
    pub fn next(&mut self) -> Option<D::Item> {
        while self.items.is_empty() {
            let bytes = self.bytes()?;
            let items = self.decoder.feed(&bytes);
            self.items.extend(items.expect("as the format wants it"));
        }
        self.items.pop_front()
    }

    /// It ends, with nothing more to say.
    pub fn ends(&mut self) {
        assert!(self.next().is_none(), "more before the end");
    }

    /// A field of its head.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.head.fields.get(name)
    }

    /// The next bytes of the body: a chunk, or whatever came.
    fn bytes(&mut self) -> Option<Vec<u8>> {
        if self.over {
            return None;
        }
        if !self.chunked {
            let bytes = self.wire.some();
            self.over = bytes.is_none();
            return bytes;
        }
        let bytes = match self.size() {
            0 => {
                self.over = true;
                assert!(self.decoder.is_idle(), "an end inside a message");
                None
            }
            size => Some(self.wire.exact(size)),
        };
        assert_eq!(self.wire.exact(2), b"\r\n");
        if self.over {
            assert_eq!(self.wire.rest(), b"", "bytes behind the last chunk");
        }
        bytes
    }

    /// A chunk's size line (RFC 9112 section 7.1), without extensions or leading zeros.
    fn size(&mut self) -> usize {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            line.extend(self.wire.exact(1));
            assert!(line.len() < 12, "{line:?} is no chunk's size");
        }
        let text = std::str::from_utf8(&line[..line.len() - 2]).expect("digits");
        assert!(text == "0" || !text.starts_with(['0', '+']), "{text:?}");
        usize::from_str_radix(text, 16).expect("a chunk's size")
    }
}

/// What lines hold.
impl<D: Decoder<Item = Item>> Stream<D> {
    /// The next line's text.
    pub fn text(&mut self) -> String {
        match self.next() {
            Some(Item::Text(text)) => String::from_utf8(text).expect("text"),
            other => panic!("{other:?} instead of a message"),
        }
    }

    /// The next line of JSON.
    pub fn said(&mut self) -> Said {
        said(self.text().as_bytes()).expect("a line of JSON as it must be")
    }

    /// The next message in JSON.
    pub fn line(&mut self) -> Line {
        match self.said() {
            Said::Message(line) => line,
            other => panic!("{other:?} instead of a message"),
        }
    }

    /// A notice of that kind comes; its object.
    pub fn notice(&mut self, kind: &str) -> serde_json::Value {
        match self.said() {
            Said::Notice(found, object) if found == kind => {
                serde_json::from_str(&object).expect("JSON")
            }
            other => panic!("{other:?} instead of a {kind}"),
        }
    }
}

/// What event streams hold.
impl Stream<Events> {
    /// The next event.
    pub fn event(&mut self) -> Event {
        match self.next() {
            Some(Heard::Event(event)) => event,
            other => panic!("{other:?} instead of an event"),
        }
    }

    /// The next message, whose data is a line of JSON.
    pub fn line(&mut self) -> Line {
        let event = self.event();
        match said(event.data.as_bytes()) {
            Ok(Said::Message(line)) => {
                assert_eq!((event.has_id, &event.id), (true, &line.id));
                line
            }
            other => panic!("{other:?} instead of a message"),
        }
    }

    /// A notice of that kind comes, which leaves the cursor where it was; its object.
    pub fn notice(&mut self, kind: &str) -> serde_json::Value {
        let event = self.event();
        assert_eq!((event.has_id, &*event.name), (false, kind));
        let value: serde_json::Value = serde_json::from_str(&event.data).expect("JSON");
        value[kind].clone()
    }
}
