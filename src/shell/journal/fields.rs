//! A log line as its parts: the name of its event, and what is said of it, `key=value` by
//! `key=value`.
//! It takes a line as it is or not at all.

/// A line of ours. A value is bare, without spaces and quotes, or quoted as Rust quotes text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fields<'a> {
    pub(super) event: &'a str,
    pub(super) pairs: Vec<(&'a str, Value<'a>)>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Value<'a> {
    Bare(&'a str),
    /// What was quoted, as it was before.
    Text(String),
}

impl<'a> Fields<'a> {
    /// The parts of a line; `None` if it is not made that way.
    pub(super) fn of(line: &'a str) -> Option<Fields<'a>> {
        let (event, mut rest) = word(line)?;
        let mut pairs = Vec::new();
        while let Some(more) = rest.strip_prefix(' ') {
            let (key, more) = word(more)?;
            let more = more.strip_prefix('=')?;
            let value;
            (value, rest) = match more.strip_prefix('"') {
                Some(quoted) => {
                    let (text, rest) = unquoted(quoted)?;
                    (Value::Text(text), rest)
                }
                None => {
                    let end = more.find(' ').unwrap_or(more.len());
                    let (bare, rest) = more.split_at(end);
                    if bare.is_empty() || !bare.bytes().all(|byte| byte.is_ascii_graphic()) {
                        return None;
                    }
                    (Value::Bare(bare), rest)
                }
            };
            pairs.push((key, value));
        }
        rest.is_empty().then_some(Fields { event, pairs })
    }
}

/// The name of an event or a key at the beginning, and what follows.
fn word(text: &str) -> Option<(&str, &str)> {
    let is_in = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let end = text.bytes().position(|byte| !is_in(byte));
    let (word, rest) = text.split_at(end.unwrap_or(text.len()));
    (!word.is_empty()).then_some((word, rest))
}

/// What was quoted, up to the closing quote, and what follows that.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut out = String::new();
    let mut chars = text.char_indices();
    loop {
        match chars.next()? {
            (end, '"') => return Some((out, &text[end + 1..])),
            (_, '\\') => {
                let plain = match chars.next()?.1 {
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    '0' => '\0',
                    'u' => hexadecimal(chars.by_ref().map(|(_, char)| char))?,
                    same @ ('"' | '\'' | '\\') => same,
                    _ => return None,
                };
                out.push(plain);
            }
            (_, char) => out.push(char),
        }
    }
}

/// The character of that number, as in `{1b}`.
fn hexadecimal(mut chars: impl Iterator<Item = char>) -> Option<char> {
    if chars.next()? != '{' {
        return None;
    }
    let mut number = 0u32;
    loop {
        match chars.next()? {
            '}' => return char::from_u32(number),
            digit => number = number.checked_mul(16)?.checked_add(digit.to_digit(16)?)?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rust_quotes_is_what_it_was() {
        let text = "a \"b\" \\ 'c' \n\r\t\0 \u{1b}[31m ü \u{202e}=";
        let line = format!("event_1 peer=[::1]:80 why={text:?} last=true");
        let fields = Fields::of(&line).unwrap();
        let expected = [
            ("peer", Value::Bare("[::1]:80")),
            ("why", Value::Text(text.to_owned())),
            ("last", Value::Bare("true")),
        ];
        assert_eq!(
            (fields.event, &fields.pairs[..]),
            ("event_1", &expected[..])
        );
    }

    #[test]
    fn other_lines_have_no_parts() {
        for line in [
            "",
            "Some words",
            "event words",
            "event key=",
            "event key=a  b=c",
            "event key=\"open",
            "event key=\"a\"b",
            "event key=\"\\x\"",
            "event key=\"\\u{d800}\"",
            "event key=a ",
        ] {
            assert_eq!(Fields::of(line), None, "{line}");
        }
        assert!(Fields::of("event").is_some_and(|fields| fields.pairs.is_empty()));
    }
}
