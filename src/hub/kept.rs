//! The text of what the hub keeps: fields as in a query string, the version of the form first, so
//! that a person can read it and an older server knows that it cannot.
//! It decides nothing of what is kept, and reads nothing twice.

use std::borrow::Cow;
use std::time::Duration;

use super::name::escape_into;
use crate::base::time::{Mono, Now, Wall};
use crate::http::{form, target};

pub(super) mod subscription;
pub(super) mod topic;

/// The version of the form.
const VERSION: &str = "1";
/// The key of the fact that says which numbers of subscriptions were given; no number is so short.
pub(super) const NUMBERS: &[u8] = b"last";
/// What the key of a topic's fact begins with; others keep facts of topics in the same table.
const TOPIC: &[u8] = b"hub ";

/// A value that is being written.
#[derive(Debug)]
pub(super) struct Writer {
    text: String,
    /// What each name begins with.
    prefix: &'static str,
}

impl Writer {
    pub(super) fn new() -> Writer {
        Writer {
            text: format!("v={VERSION}"),
            prefix: "",
        }
    }

    /// What follows is of another part, whose names begin so.
    fn part(&mut self, prefix: &'static str) {
        self.prefix = prefix;
    }

    fn put(&mut self, name: &str, value: &[u8]) {
        for part in ["&", self.prefix, name, "="] {
            self.text.push_str(part);
        }
        escape_into(value, &mut self.text);
    }

    fn put_if(&mut self, name: &str, value: Option<&[u8]>) {
        if let Some(value) = value {
            self.put(name, value);
        }
    }

    /// A number; zero goes without saying.
    pub(super) fn number(&mut self, name: &str, value: u64) {
        if value > 0 {
            self.put(name, value.to_string().as_bytes());
        }
    }

    /// A flag; what is not so goes without saying.
    fn flag(&mut self, name: &str, is_so: bool) {
        self.number(name, u64::from(is_so));
    }

    pub(super) fn done(self) -> Box<[u8]> {
        self.text.into_bytes().into()
    }
}

/// A value that was kept.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    fields: Vec<(&'a [u8], Cow<'a, [u8]>)>,
    prefix: &'static str,
}

impl<'a> Reader<'a> {
    /// `None` if it is of no version that is known here.
    pub(super) fn of(value: &'a [u8]) -> Option<Reader<'a>> {
        let fields = form::fields(value).map(|it| (it.name, form::decode(it.value)));
        let reader = Reader {
            fields: fields.collect(),
            prefix: "",
        };
        let first = reader.fields.first()?;
        (first.0 == b"v" && *first.1 == *VERSION.as_bytes()).then_some(reader)
    }

    fn part(&mut self, prefix: &'static str) {
        self.prefix = prefix;
    }

    fn bytes(&self, name: &str) -> Option<&[u8]> {
        let is_it = |field: &&(&[u8], Cow<'_, [u8]>)| {
            let own = field.0.strip_prefix(self.prefix.as_bytes());
            own == Some(name.as_bytes())
        };
        self.fields.iter().find(is_it).map(|(_, value)| &**value)
    }

    fn text(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.bytes(name)?).ok()
    }

    pub(super) fn number(&self, name: &str) -> u64 {
        let number = self.text(name).and_then(|text| text.parse().ok());
        number.unwrap_or(0)
    }

    fn small(&self, name: &str) -> u32 {
        u32::try_from(self.number(name)).unwrap_or(u32::MAX)
    }

    fn flag(&self, name: &str) -> bool {
        self.number(name) > 0
    }
}

/// What tells a value from another: the same for the same bytes, never zero.
pub(super) fn stamp(value: &[u8]) -> u64 {
    target::lane(value).max(1)
}

/// The key of a topic's fact.
pub(super) fn topic_key(key: &str) -> Box<[u8]> {
    [TOPIC, key.as_bytes()].concat().into()
}

/// The topic that a fact is of; `None` if it is not the hub's.
pub(super) fn topic_of(key: &[u8]) -> Option<&str> {
    std::str::from_utf8(key.strip_prefix(TOPIC)?).ok()
}

/// A time ahead, for whoever reads it with another clock.
fn wall(now: Now, at: Mono) -> u64 {
    (now.wall + at.since(now.mono)).0
}

/// The same, read; a time that has passed is now.
fn mono(now: Now, at: u64) -> Mono {
    now.mono + Wall(at).since(now.wall)
}

/// Whole seconds.
fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let mut writer = Writer::new();
        writer.put("a", b"x y&z=%\0\xff+");
        writer.flag("no", false);
        writer.part("q-");
        writer.put("a", b"");
        writer.number("n", u64::MAX);
        let value = writer.done();
        let shown = String::from_utf8(value.to_vec()).unwrap();
        let want = "v=1&a=x%20y%26z%3D%25%00%FF%2B&q-a=&q-n=18446744073709551615";
        assert_eq!(shown, want);
        let mut reader = Reader::of(&value).unwrap();
        assert_eq!(reader.bytes("a"), Some(&b"x y&z=%\0\xff+"[..]));
        assert_eq!((reader.bytes("b"), reader.flag("no")), (None, false));
        reader.part("q-");
        assert_eq!(reader.bytes("a"), Some(&b""[..]));
        assert_eq!(reader.number("n"), u64::MAX);
        assert_eq!(reader.small("n"), u32::MAX);
    }

    #[test]
    fn another_version_is_not_read() {
        for value in ["", "v=2&a=1", "a=1&v=1", "v", "nonsense"] {
            assert!(Reader::of(value.as_bytes()).is_none(), "{value}");
        }
        assert!(Reader::of(b"v=1").is_some());
    }

    #[test]
    fn facts_of_others_are_none_of_ours() {
        assert_eq!(topic_of(&topic_key("http://t/ x")), Some("http://t/ x"));
        for key in [&b""[..], b"hub", b"stream http://t/", b"hub \xff"] {
            assert_eq!(topic_of(key), None);
        }
    }
}
