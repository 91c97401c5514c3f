//! A small strict reader of HTTP/1.1 messages, written apart from Hookah's own so that neither can
//! excuse the other. It keeps everything it reads and knows no time.

/// Which way messages travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Requests.
    Request,
    /// Answers.
    Answer,
}

/// A message, or what is known of it so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// The request line or status line.
    pub start: String,
    /// The status, zero in a request.
    pub status: u16,
    /// Names in lower case, values trimmed, in order.
    pub fields: Vec<(String, String)>,
    /// The body, unframed.
    pub body: Vec<u8>,
}

impl Message {
    /// The value of a field that must stand at most once.
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut found = self.fields.iter().filter(|(known, _)| known == name);
        let first = found.next().map(|(_, value)| value.as_str());
        assert!(
            found.next().is_none(),
            "field {name} twice in {:?}",
            self.fields
        );
        first
    }

    /// Whether the Connection field lists `option`.
    pub fn connection(&self, option: &str) -> bool {
        self.field("connection").is_some_and(|list| {
            list.split(',')
                .any(|o| o.trim().eq_ignore_ascii_case(option))
        })
    }

    /// The method, path and so on of the start line.
    pub fn word(&self, index: usize) -> &str {
        self.start.split(' ').nth(index).unwrap_or("")
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Length(u64),
    ChunkLine,
    ChunkData(u64),
    ChunkEnd,
    Trailers,
    ToClose,
}

/// Reads messages from bytes in any portions.
#[derive(Debug)]
pub struct Reader {
    kind: Kind,
    buf: Vec<u8>,
    current: Option<(Message, Framing)>,
    /// The last final head that was read, also when its body's framing turned out broken.
    pub head: Option<Message>,
    /// Interim answers before the current final one.
    pub interim: Vec<u16>,
    /// Whether the next answer is to a HEAD request and so has no body.
    pub to_head: bool,
}

/// Bounds of http.md's client rules.
const HEAD_BYTES_MAX: usize = 32 << 10;
const FIELDS_MAX: usize = 100;
const INTERIM_MAX: usize = 8;

impl Reader {
    /// A reader at the start of a connection.
    pub fn new(kind: Kind) -> Reader {
        let (buf, interim) = (Vec::new(), Vec::new());
        Reader {
            kind,
            buf,
            current: None,
            head: None,
            interim,
            to_head: false,
        }
    }

    /// Appends what came in.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buf.extend_from_slice(bytes);
    }

    /// Whether not a byte of a further message has come in.
    pub fn is_clean(&self) -> bool {
        self.current.is_none() && self.buf.is_empty()
    }

    /// The next complete message, or what is wrong with it.
    pub fn next(&mut self) -> Result<Option<Message>, String> {
        while self.current.is_none() {
            let Some(message) = self.read_head()? else {
                return Ok(None);
            };
            if (100..200).contains(&message.status) {
                self.interim.push(message.status);
                if message.status == 101 || self.interim.len() > INTERIM_MAX {
                    return Err(format!("interim answers {:?}", self.interim));
                }
                continue;
            }
            self.head = Some(message.clone());
            let framing = self.framing(&message)?;
            self.current = Some((message, framing));
        }
        self.read_body()
    }

    /// The peer has ended: what may end with it is complete now.
    pub fn finish(&mut self) -> Result<Option<Message>, String> {
        match self.current.take() {
            Some((message, Framing::ToClose)) => Ok(Some(message)),
            Some((message, framing)) => Err(format!("cut off in {framing:?} of {message:?}")),
            None if self.buf.is_empty() => Ok(None),
            None => Err(format!(
                "cut off in a head: {:?}",
                String::from_utf8_lossy(&self.buf)
            )),
        }
    }

    fn read_head(&mut self) -> Result<Option<Message>, String> {
        let end = self.buf.windows(4).position(|four| four == b"\r\n\r\n");
        if end.unwrap_or(self.buf.len()) > HEAD_BYTES_MAX {
            return Err("head too long".to_owned());
        }
        let Some(end) = end else { return Ok(None) };
        let head: Vec<u8> = self.buf.drain(..end + 4).take(end).collect();
        let text = String::from_utf8(head).map_err(|e| format!("head is not UTF-8: {e}"))?;
        if text.bytes().any(|byte| byte == 0) || text.replace("\r\n", "").contains(['\r', '\n']) {
            return Err(format!("bare CR, LF or NUL in head {text:?}"));
        }
        let mut lines = text.split("\r\n");
        let start = lines.next().unwrap_or("").to_owned();
        let status = self.check_start(&start)?;
        let fields = lines.map(parse_field).collect::<Result<Vec<_>, _>>()?;
        if fields.len() > FIELDS_MAX {
            return Err("too many fields".to_owned());
        }
        Ok(Some(Message {
            start,
            status,
            fields,
            body: Vec::new(),
        }))
    }

    /// The status; zero for a request.
    fn check_start(&self, start: &str) -> Result<u16, String> {
        let bad = || format!("bad start line {start:?}");
        if self.kind == Kind::Request {
            let words: Vec<&str> = start.split(' ').collect();
            let good = words.len() == 3
                && words[0].bytes().all(|byte| byte.is_ascii_uppercase())
                && words[1].starts_with('/')
                && words[1].bytes().all(|byte| byte.is_ascii_graphic())
                && words[2] == "HTTP/1.1";
            return if good { Ok(0) } else { Err(bad()) };
        }
        let rest = start
            .strip_prefix("HTTP/1.1 ")
            .or_else(|| start.strip_prefix("HTTP/1.0 "));
        let rest = rest.ok_or_else(bad)?;
        let (code, _) = rest.split_once(' ').unwrap_or((rest, ""));
        match code.parse::<u16>() {
            Ok(status @ 100..=599) if code.len() == 3 => Ok(status),
            _ => Err(bad()),
        }
    }

    fn framing(&self, message: &Message) -> Result<Framing, String> {
        let all = |name: &str| {
            message
                .fields
                .iter()
                .filter(|(known, _)| known == name)
                .count()
        };
        if all("content-length") + all("transfer-encoding") > 1 {
            return Err(format!("more than one framing in {:?}", message.fields));
        }
        let bodiless = self.kind == Kind::Answer
            && (self.to_head || message.status == 204 || message.status == 304);
        if let Some(coding) = message.field("transfer-encoding") {
            if coding != "chunked" || message.start.ends_with("HTTP/1.0") {
                return Err(format!("transfer coding {coding:?}"));
            }
            return Ok(if bodiless {
                Framing::Length(0)
            } else {
                Framing::ChunkLine
            });
        }
        if let Some(length) = message.field("content-length") {
            let good = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
            let length = length.parse().map_err(|_| format!("length {length:?}"))?;
            assert!(good, "a sign in a Content-Length");
            return Ok(Framing::Length(if bodiless { 0 } else { length }));
        }
        let to_close = self.kind == Kind::Answer && !bodiless;
        Ok(if to_close {
            Framing::ToClose
        } else {
            Framing::Length(0)
        })
    }

    fn read_body(&mut self) -> Result<Option<Message>, String> {
        loop {
            let Some((message, framing)) = &mut self.current else {
                return Ok(None);
            };
            match framing {
                Framing::Length(left) | Framing::ChunkData(left) if *left > 0 => {
                    let take = self
                        .buf
                        .len()
                        .min(usize::try_from(*left).unwrap_or(usize::MAX));
                    if take == 0 {
                        return Ok(None);
                    }
                    message.body.extend(self.buf.drain(..take));
                    *left -= take as u64;
                }
                Framing::Length(_) => break,
                Framing::ChunkData(_) => *framing = Framing::ChunkEnd,
                Framing::ToClose => {
                    message.body.append(&mut self.buf);
                    return Ok(None);
                }
                Framing::ChunkLine | Framing::ChunkEnd | Framing::Trailers => {
                    let Some(line) = take_line(&mut self.buf)? else {
                        return Ok(None);
                    };
                    match next_part(*framing, &line)? {
                        Some(next) => *framing = next,
                        None => break,
                    }
                }
            }
        }
        self.interim.clear();
        Ok(self.current.take().map(|(message, _)| message))
    }
}

/// What follows a line between chunks; `None` after the last.
fn next_part(framing: Framing, line: &str) -> Result<Option<Framing>, String> {
    match framing {
        Framing::ChunkEnd if line.is_empty() => Ok(Some(Framing::ChunkLine)),
        Framing::ChunkEnd => Err(format!("chunk followed by {line:?}")),
        Framing::Trailers if line.is_empty() => Ok(None),
        Framing::Trailers => Ok(Some(Framing::Trailers)),
        _ => {
            let digits = line.split(';').next().unwrap_or("");
            if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return Err(format!("chunk line {line:?}"));
            }
            let size = u64::from_str_radix(digits, 16).map_err(|e| e.to_string())?;
            Ok(Some(if size == 0 {
                Framing::Trailers
            } else {
                Framing::ChunkData(size)
            }))
        }
    }
}

fn take_line(buf: &mut Vec<u8>) -> Result<Option<String>, String> {
    let Some(end) = buf.iter().position(|byte| *byte == b'\n') else {
        return if buf.len() > 1_024 {
            Err("endless line".to_owned())
        } else {
            Ok(None)
        };
    };
    let line: Vec<u8> = buf.drain(..=end).collect();
    let line = line.strip_suffix(b"\r\n").ok_or("bare LF")?;
    String::from_utf8(line.to_vec())
        .map(Some)
        .map_err(|e| e.to_string())
}

fn parse_field(line: &str) -> Result<(String, String), String> {
    let (name, value) = line
        .split_once(':')
        .ok_or_else(|| format!("no colon in {line:?}"))?;
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(token) {
        return Err(format!("bad field name {name:?}"));
    }
    Ok((
        name.to_ascii_lowercase(),
        value.trim_matches([' ', '\t']).to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: Kind, wire: &[u8], portion: usize) -> Result<Vec<Message>, String> {
        let mut reader = Reader::new(kind);
        let mut found = Vec::new();
        for part in wire.chunks(portion) {
            reader.push(part);
            while let Some(message) = reader.next()? {
                found.push(message);
            }
        }
        found.extend(reader.finish()?);
        Ok(found)
    }

    #[test]
    fn any_split_reads_the_same() {
        let wire =
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\
            \r\n5\r\nhello\r\n0\r\nX: y\r\n\r\nHTTP/1.1 204 No\r\n\r\nHTTP/1.0 200 OK\r\n\r\nrest";
        let whole = read(Kind::Answer, wire, wire.len()).unwrap();
        assert_eq!(
            whole.iter().map(|m| m.body.as_slice()).collect::<Vec<_>>(),
            [b"hello".as_slice(), b"", b"rest"]
        );
        for portion in 1..wire.len() {
            assert_eq!(read(Kind::Answer, wire, portion).unwrap(), whole);
        }
    }

    #[test]
    fn lies_are_called() {
        for wire in [
            "HTTP/1.1 200 OK\nA: b\n\n\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            "HTTP/1.1 20 OK\r\n\r\n",
            "SSH-2.0-OpenSSH_9.2\r\n\r\n",
            "HTTP/1.1 101 Switching\r\n\r\n",
        ] {
            assert!(read(Kind::Answer, wire.as_bytes(), 3).is_err(), "{wire:?}");
        }
    }
}
