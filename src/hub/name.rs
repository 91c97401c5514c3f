//! Names of topics and callbacks: what stands in a request, and what it means.
//! It resolves no name, and never changes the bytes that go out.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::http::form;
use crate::http::problem::{Problem, Reason};
use crate::http::target::{self, URL_BYTES_MAX};
use crate::model::Target;

mod key;

pub use key::key;

/// Characters of a plain name at most (hub.md C37).
pub const PLAIN_BYTES_MAX: usize = 128;

/// A topic as a request named it: an absolute URL, or a plain name for which nothing is fetched.
/// Two are the same topic if their keys are.
#[derive(Clone, PartialEq, Eq)]
pub struct TopicName {
    given: Box<str>,
    /// Where it is not what was given.
    key: Option<Box<str>>,
    is_url: bool,
}

impl TopicName {
    /// Reads the value of `parameter`, which the problem names.
    ///
    /// # Errors
    /// [`Reason::BadParameter`]: neither a plain name nor a URL that could be called.
    pub fn parse(parameter: &str, text: &[u8]) -> Result<TopicName, Problem> {
        if is_plain(text) {
            return Ok(TopicName {
                given: String::from_utf8_lossy(text).into(),
                key: None,
                is_url: false,
            });
        }
        let url = RawUrl::parse(parameter, text).map_err(or_plain)?;
        url.target(parameter)?;
        let key = match key(text) {
            Cow::Borrowed(_) => None,
            Cow::Owned(key) => Some(String::from_utf8_lossy(&key).into()),
        };
        Ok(TopicName {
            given: url.text.into(),
            key,
            is_url: true,
        })
    }

    /// The bytes of the request: what is fetched, and what a verification says.
    #[must_use]
    pub fn given(&self) -> &str {
        &self.given
    }

    /// What the topic is known by (hub.md C5).
    #[must_use]
    pub fn key(&self) -> &str {
        self.key.as_deref().unwrap_or(&self.given)
    }

    /// Whether it can be fetched.
    #[must_use]
    pub fn is_url(&self) -> bool {
        self.is_url
    }

    /// Where it is fetched: path and query byte for byte as given. `None` for a plain name.
    #[must_use]
    pub fn target(&self) -> Option<Target> {
        if !self.is_url {
            return None;
        }
        let url = RawUrl::parse("", self.given.as_bytes()).ok()?;
        url.target("").ok()
    }

    /// The host as the URL standard reads it, in lower case. `None` for a plain name.
    #[must_use]
    pub fn host(&self) -> Option<Box<str>> {
        self.target().map(|target| target.origin.host)
    }

    /// Whether its path has a `.` or `..` in it, which a server may follow, whatever of that and of
    /// the slashes around it is escaped. The key would not do: a broken escape anywhere keeps the
    /// others as they are.
    #[must_use]
    pub fn has_dot_segments(&self) -> bool {
        let path = self.given.split('?').next().unwrap_or_default();
        let mut decoded = Vec::with_capacity(path.len());
        form::unescape_into(path.as_bytes(), &mut decoded);
        let mut segments = decoded.split(|byte| b"/\\".contains(byte));
        self.is_url && segments.any(|segment| matches!(segment, b"." | b".."))
    }

    /// Bytes of memory held by what a client chose the size of.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.given.len() + self.key.as_ref().map_or(0, |key| key.len())
    }
}

/// Without what may be credentials.
impl fmt::Debug for TopicName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "TopicName({:?})", shown(&self.given))
    }
}

/// Whether `text` is a plain name: `orders`, `user.created`.
#[must_use]
pub fn is_plain(text: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"._~-$".contains(byte);
    (1..=PLAIN_BYTES_MAX).contains(&text.len()) && text.iter().all(plain)
}

/// A subscriber's URL. Two are the same if their texts are, byte for byte (hub.md C5).
#[derive(Clone)]
pub struct Callback {
    text: Box<str>,
    /// Where it is called: path and query byte for byte as given, the userinfo as Basic
    /// authorization and nowhere else.
    pub target: Arc<Target>,
}

impl Callback {
    /// Reads the value of `parameter`, which the problem names.
    ///
    /// # Errors
    /// [`Reason::BadParameter`]: not a URL that could be called.
    pub fn parse(parameter: &str, text: &[u8]) -> Result<Callback, Problem> {
        let url = RawUrl::parse(parameter, text)?;
        Ok(Callback {
            target: Arc::new(url.target(parameter)?),
            text: url.text.into(),
        })
    }

    /// The bytes of the request, which may hold credentials: to compare and to keep, not to show.
    /// `target.url` is for people.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The path and query to GET with these parameters added (WebSub section 5.1.1).
    #[must_use]
    pub fn path_with(&self, fields: &[(&str, &[u8])]) -> String {
        appended(&self.target.path, fields)
    }

    /// Bytes of memory held by what a client chose the size of.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.text.len() + size_of::<Target>() + self.target.bytes()
    }
}

impl PartialEq for Callback {
    fn eq(&self, other: &Callback) -> bool {
        self.text == other.text
    }
}

impl Eq for Callback {}

/// Without its credentials.
impl fmt::Debug for Callback {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Callback({:?})", self.target.url)
    }
}

/// `path` with `fields` after whatever query it has: nothing of it is overwritten or moved.
#[must_use]
pub fn appended(path: &str, fields: &[(&str, &[u8])]) -> String {
    let bytes: usize = fields
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    let mut out = String::with_capacity(path.len() + bytes + bytes / 2 + fields.len() * 2);
    out.push_str(path);
    for (name, value) in fields {
        // An empty query or a last `&` needs no mark before what follows.
        match (out.contains('?'), out.ends_with(['?', '&'])) {
            (false, _) => out.push('?'),
            (true, false) => out.push('&'),
            (true, true) => {}
        }
        out.push_str(name);
        out.push('=');
        escape_into(value, &mut out);
    }
    out
}

/// All but RFC 3986's unreserved characters as `%XX`.
pub(super) fn escape_into(value: &[u8], out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in value {
        if key::is_unreserved(*byte) {
            out.push(char::from(*byte));
        } else {
            let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble & 15)]);
            out.extend(['%', digit(byte >> 4), digit(*byte)]);
        }
    }
}

/// A URL as it came, cut where RFC 3986 section 3 cuts it. Nothing is left in it that two parsers
/// could read in two ways: no byte that is blank, control or not ASCII, no backslash, no fragment.
struct RawUrl<'t> {
    text: &'t str,
    /// `https://user@host:80`.
    front: &'t str,
    /// Path and query.
    rest: &'t str,
}

impl<'t> RawUrl<'t> {
    fn parse(parameter: &str, text: &'t [u8]) -> Result<RawUrl<'t>, Problem> {
        let wrong = |what: &str| {
            let lossy = String::from_utf8_lossy(text);
            let shown = shown(&lossy);
            let allowed = "an absolute http or https URL";
            refuse(format!("{parameter}: {shown:?} {what}; allowed: {allowed}"))
        };
        if text.len() > URL_BYTES_MAX {
            let bytes = text.len();
            return Err(refuse(format!(
                "{parameter}: a URL of {bytes} bytes; allowed: up to {URL_BYTES_MAX}"
            )));
        }
        let sound = |byte: &u8| byte.is_ascii_graphic() && *byte != b'\\';
        if !text.iter().all(sound) {
            return Err(wrong(
                "has a space, a control character, a backslash or a character that is not ASCII",
            ));
        }
        let text = std::str::from_utf8(text).map_err(|_| wrong("is not ASCII"))?;
        if text.contains('#') {
            return Err(wrong("has a fragment"));
        }
        let scheme = ["http://", "https://"]
            .map(str::len)
            .into_iter()
            .find(|len| {
                let scheme = text.get(..*len).unwrap_or_default();
                ["http://", "https://"]
                    .iter()
                    .any(|known| known.eq_ignore_ascii_case(scheme))
            });
        let start = scheme.ok_or_else(|| wrong("is not one"))?;
        let after = text.get(start..).unwrap_or_default();
        let end = start + after.find(['/', '?']).unwrap_or(after.len());
        let (front, rest) = text.split_at(end);
        match front.len() > start {
            true => Ok(RawUrl { text, front, rest }),
            false => Err(wrong("has no host")),
        }
    }

    /// Host and port are what the URL standard's parser sees; it is given nothing else to see.
    fn target(&self, parameter: &str) -> Result<Target, Problem> {
        let mut target = target::parse(&format!("{}/", self.front))
            .map_err(|problem| refuse(format!("{parameter}: {}", problem.detail)))?;
        let root = if self.rest.starts_with('/') { "" } else { "/" };
        target.path = format!("{root}{}", self.rest).into();
        let scheme = target.origin.scheme.as_str();
        target.url = format!("{scheme}://{}{}", target.authority, target.path).into();
        Ok(target)
    }
}

/// Whoever got a URL wrong may have meant a name.
fn or_plain(mut problem: Problem) -> Problem {
    let detail = problem.detail.to_mut();
    detail.push_str(", or a plain name of up to 128 characters from A-Z a-z 0-9 . _ ~ - $");
    problem
}

fn refuse(detail: String) -> Problem {
    Problem::new(Reason::BadParameter, detail)
}

/// The start of a URL for an answer or a log, without what may be userinfo.
#[must_use]
pub fn shown(text: &str) -> String {
    let (scheme, rest) = text
        .split_once("://")
        .map_or(("", text), |(scheme, rest)| (scheme, rest));
    let front = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let userinfo = rest.get(..front).and_then(|front| front.rfind('@'));
    let after = userinfo.map_or(rest, |at| rest.get(at + 1..).unwrap_or_default());
    let mark = if scheme.is_empty() { "" } else { "://" };
    let mut shown = format!("{scheme}{mark}{after}");
    if let Some((cut, _)) = shown.char_indices().nth(120) {
        shown.truncate(cut);
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests;
