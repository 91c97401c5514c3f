//! A complete request head as values, checked against every rule that httparse does not hold.
//! It never sees the body, and it trusts `head` for the request line's characters and lengths.

use std::mem::MaybeUninit;

use httparse::{Header, Status};

use crate::http::field::{self, Connection, FIELDS_MAX};
use crate::http::problem::Reason;
use crate::model::Method;

/// The two versions we speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
}

/// How a request's body is framed (RFC 9112 section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyKind {
    /// None follows.
    None,
    /// That many bytes follow; the caller compares it with its limit before anything is read.
    Length(u64),
    /// Chunks follow.
    Chunked,
}

/// A request's head. It borrows the buffer and the array given to [`parse`].
#[derive(Clone, Copy, Debug)]
pub struct Request<'b> {
    /// What is to be done.
    pub method: Method,
    /// The target's path as it was sent, percent-escapes kept; `*` for OPTIONS of the server.
    pub path: &'b str,
    /// What follows the target's first `?`.
    pub query: Option<&'b str>,
    /// The client's version.
    pub version: Version,
    /// The host and port meant: the target's authority, else Host; empty only in HTTP/1.0.
    pub host: &'b str,
    /// How the body is framed.
    pub body: BodyKind,
    /// Whether the client wants the line kept after the answer.
    pub keep_alive: bool,
    /// Whether the client waits for `100 Continue` (never in HTTP/1.0).
    pub expect_continue: bool,
    /// Whether a page may have sent it: it has an Origin or a Sec-Fetch-Site field, which a script
    /// can neither set nor leave out.
    pub of_page: bool,
    /// All fields in their order.
    pub headers: &'b [Header<'b>],
    content_type: Option<&'b [u8]>,
}

/// The place for a head's fields: [`slots`] makes one, on the stack and for nothing.
pub type Slots<'b> = [MaybeUninit<Header<'b>>; FIELDS_MAX];

/// An empty place for the fields of one head.
#[must_use]
pub fn slots<'b>() -> Slots<'b> {
    [const { MaybeUninit::uninit() }; FIELDS_MAX]
}

/// Reads the head that [`super::head::HeadScan`] found: `buf[end.start..end.len]`. It allocates
/// nothing and looks at each field once.
///
/// # Errors
/// The first rule of RFC 9112 that the head breaks; where the body would end is then unknown, so
/// every one of them closes the line.
pub fn parse<'b>(head: &'b [u8], slots: &'b mut Slots<'b>) -> Result<Request<'b>, Reason> {
    let mut raw = httparse::Request::new(&mut []);
    match raw.parse_with_uninit_headers(head, slots) {
        Ok(Status::Complete(len)) if len == head.len() => {}
        Ok(_) => return Err(Reason::Incomplete),
        Err(error) => return Err(diagnose(head, error)),
    }
    let method = raw
        .method
        .and_then(Method::parse)
        .ok_or(Reason::MethodNotImplemented)?;
    let version = if raw.version == Some(1) {
        Version::Http11
    } else {
        Version::Http10
    };
    let target = split_target(method, raw.path.unwrap_or_default())?;
    let headers: &'b [Header<'b>] = raw.headers;
    let mut found = Found::default();
    for header in headers {
        found.note(header, version)?;
    }
    let host = match (found.host, version) {
        (None, Version::Http11) => return Err(Reason::MissingHost),
        (host, _) => target.authority.or(host).unwrap_or_default(),
    };
    Ok(Request {
        method,
        path: target.path,
        query: target.query,
        version,
        host,
        body: found.body(),
        keep_alive: found.connection.persists(version == Version::Http11),
        expect_continue: found.expect_continue,
        of_page: found.of_page,
        headers,
        content_type: found.content_type,
    })
}

impl<'b> Request<'b> {
    /// The value of the first field of that name, in any case.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&'b [u8]> {
        field::find(self.headers, name)
    }

    /// The values of all fields of that name, in any case.
    pub fn fields<'n>(&self, name: &'n str) -> impl Iterator<Item = &'b [u8]> + use<'n, 'b>
    where
        'b: 'n,
    {
        field::all(self.headers, name)
    }

    /// The first Content-Type with its parameters, if it is text at all.
    #[must_use]
    pub fn content_type(&self) -> Option<&'b str> {
        std::str::from_utf8(self.content_type?).ok()
    }
}

/// What the pass over the fields has found so far.
#[derive(Default)]
struct Found<'b> {
    host: Option<&'b str>,
    length: Option<u64>,
    chunked: bool,
    connection: Connection,
    expect_continue: bool,
    of_page: bool,
    content_type: Option<&'b [u8]>,
}

impl<'b> Found<'b> {
    /// Takes in one field. The length of its name rules out almost all others at no cost.
    fn note(&mut self, header: &Header<'b>, version: Version) -> Result<(), Reason> {
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        match header.name.len() {
            4 if is("host") => self.note_host(header.value),
            6 if is("expect") && version == Version::Http11 => self.note_expect(header.value),
            6 if is("origin") => {
                self.of_page = true;
                Ok(())
            }
            10 if is("connection") => {
                self.connection.note(header.value);
                Ok(())
            }
            12 if is("content-type") => {
                self.content_type = self.content_type.or(Some(header.value));
                Ok(())
            }
            14 if is("content-length") => self.note_length(header.value),
            14 if is("sec-fetch-site") => {
                self.of_page = true;
                Ok(())
            }
            17 if is("transfer-encoding") => self.note_encoding(header.value, version),
            _ => Ok(()),
        }
    }

    fn note_host(&mut self, value: &'b [u8]) -> Result<(), Reason> {
        let host = field::host(value).ok_or(Reason::BadHost)?;
        match self.host.replace(host) {
            None => Ok(()),
            Some(_) => Err(Reason::RepeatedHost),
        }
    }

    fn note_expect(&mut self, value: &[u8]) -> Result<(), Reason> {
        self.expect_continue = true;
        match value.eq_ignore_ascii_case(b"100-continue") {
            true => Ok(()),
            false => Err(Reason::ExpectationFailed),
        }
    }

    fn note_length(&mut self, value: &[u8]) -> Result<(), Reason> {
        if self.length.is_some() {
            return Err(Reason::RepeatedContentLength);
        }
        self.length = Some(field::content_length(value).ok_or(Reason::BadContentLength)?);
        match self.chunked {
            true => Err(Reason::LengthAndEncoding),
            false => Ok(()),
        }
    }

    fn note_encoding(&mut self, value: &[u8], version: Version) -> Result<(), Reason> {
        if version == Version::Http10 {
            return Err(Reason::EncodingInOldVersion);
        }
        if self.length.is_some() {
            return Err(Reason::LengthAndEncoding);
        }
        if self.chunked {
            return Err(Reason::BadTransferEncoding);
        }
        self.chunked = true;
        field::transfer_encoding(value)
    }

    fn body(&self) -> BodyKind {
        match (self.chunked, self.length) {
            (true, _) => BodyKind::Chunked,
            (false, Some(length)) => BodyKind::Length(length),
            (false, None) => BodyKind::None,
        }
    }
}

struct Target<'b> {
    authority: Option<&'b str>,
    path: &'b str,
    query: Option<&'b str>,
}

/// The forms of RFC 9112 section 3.2; the authority form is CONNECT's alone, which we never serve.
fn split_target(method: Method, target: &str) -> Result<Target<'_>, Reason> {
    if target.starts_with('/') {
        let (path, query) = split_query(target);
        return Ok(Target {
            authority: None,
            path,
            query,
        });
    }
    if target == "*" && method == Method::Options {
        return Ok(Target {
            authority: None,
            path: target,
            query: None,
        });
    }
    let rest = strip_scheme(target).ok_or(Reason::BadRequestTarget)?;
    let (authority, rest) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let authority = field::host(authority.as_bytes()).ok_or(Reason::BadRequestTarget)?;
    let (path, query) = split_query(rest);
    let path = if path.is_empty() { "/" } else { path };
    Ok(Target {
        authority: Some(authority),
        path,
        query,
    })
}

fn split_query(target: &str) -> (&str, Option<&str>) {
    match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    }
}

fn strip_scheme(target: &str) -> Option<&str> {
    ["http://", "https://"].into_iter().find_map(|scheme| {
        let (start, rest) = target.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    })
}

/// Which rule a refused head breaks. httparse says what it met, not where, so the lines are looked
/// at again; it costs only the one who sent them.
fn diagnose(head: &[u8], error: httparse::Error) -> Reason {
    let lines = head.split(|byte| *byte == b'\n').skip(1);
    for (place, line) in lines.enumerate() {
        match line.strip_suffix(b"\r") {
            None | Some([]) => break,
            Some(line) => {
                if let Err(reason) = field::check_line(line, place == 0) {
                    return reason;
                }
            }
        }
    }
    match error {
        httparse::Error::TooManyHeaders => Reason::TooManyFields,
        httparse::Error::HeaderName => Reason::BadFieldName,
        httparse::Error::HeaderValue | httparse::Error::NewLine => Reason::BadFieldValue,
        _ => Reason::BadRequestLine,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_in_any_case() {
        let head = b"POST / HTTP/1.1\r\nHost: h\r\naccept: a\r\nAccept: b\r\n\
                     CONTENT-TYPE: text/plain; charset=utf-8\r\nContent-Type: x\r\n\r\n";
        let mut slots = slots();
        let req = parse(head, &mut slots).unwrap();
        assert_eq!(req.field("ACCEPT"), Some(b"a".as_slice()));
        assert_eq!(req.fields("Accept").collect::<Vec<_>>(), [b"a", b"b"]);
        assert_eq!(req.field("Accept-Encoding"), None);
        assert_eq!(req.content_type(), Some("text/plain; charset=utf-8"));
        assert_eq!(req.headers.len(), 5);
    }

    #[test]
    fn a_page_gives_itself_away_by_two_fields() {
        let rows = [
            ("Origin: null", true),
            ("ORIGIN:", true),
            ("sec-fetch-site: none", true),
            (
                "Sec-Fetch-Mode: cors\r\nReferer: http://a/\r\nOrigins: a",
                false,
            ),
            ("Expect: 100-continue\r\nContent-Length: 5", false),
        ];
        for (fields, expected) in rows {
            let head = format!("POST / HTTP/1.1\r\nHost: h\r\n{fields}\r\n\r\n");
            let mut slots = slots();
            let req = parse(head.as_bytes(), &mut slots).unwrap();
            assert_eq!(req.of_page, expected, "{fields}");
        }
    }

    #[test]
    fn a_content_type_that_is_no_text_is_none() {
        let mut slots = slots();
        let req = parse(b"POST / HTTP/1.0\r\nContent-Type: \xff\r\n\r\n", &mut slots).unwrap();
        assert_eq!(req.content_type(), None);
    }

    #[test]
    fn what_was_not_scanned_is_refused_and_never_panics() {
        for head in [
            "",
            "G",
            "\r\n",
            "GET / HTTP/1.1\r\n",
            "GET / HTTP/1.1\r\n\r\nmore",
            "\n\n\n",
        ] {
            assert!(parse(head.as_bytes(), &mut slots()).is_err(), "{head:?}");
        }
    }
}
