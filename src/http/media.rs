//! Reads a media type and its parameters (RFC 9110 section 8.3.1).
//! It never guesses a type from content.

/// The type and subtype without parameters and spaces, in the case it was given.
#[must_use]
pub fn essence(content_type: &str) -> &str {
    content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim_matches(BLANK)
}

/// Whether `content_type` is `wanted`, whatever its parameters.
#[must_use]
pub fn is(content_type: &str, wanted: &str) -> bool {
    essence(content_type).eq_ignore_ascii_case(wanted)
}

/// Whether it is `application/json`, or a type that says it is JSON underneath (RFC 6839
/// section 3.1).
#[must_use]
pub fn is_json(content_type: &str) -> bool {
    let essence = essence(content_type);
    let suffix = essence
        .len()
        .checked_sub(5)
        .and_then(|at| essence.get(at..));
    essence.eq_ignore_ascii_case("application/json")
        || suffix.is_some_and(|suffix| suffix.eq_ignore_ascii_case("+json"))
}

const BLANK: [char; 2] = [' ', '\t'];

/// A parameter of a media type or of a Content-Disposition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Param<'a> {
    /// Its name, in the case it was given.
    pub name: &'a [u8],
    /// Its value: the quotes are gone, a `\` inside them still stands.
    pub value: &'a [u8],
    /// Whether the value stood in quotes.
    pub quoted: bool,
}

/// The parameters behind the first `;` of `field`. The error is a parameter that has no value, or
/// quotes that do not close; nothing follows it.
#[must_use]
pub fn params(field: &[u8]) -> Params<'_> {
    let rest = memchr::memchr(b';', field).and_then(|at| field.get(at..));
    Params {
        rest: rest.unwrap_or_default(),
    }
}

/// See [`params`].
#[derive(Clone, Debug)]
pub struct Params<'a> {
    // Begins with the `;` of the next parameter, or is empty.
    rest: &'a [u8],
}

/// A parameter that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl<'a> Iterator for Params<'a> {
    type Item = Result<Param<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        // RFC 9110 section 5.6.6 allows empty parameters: `a; ; b=1;`.
        while let Some(after) = self.rest.strip_prefix(b";") {
            self.rest = after.trim_ascii_start();
        }
        if self.rest.is_empty() {
            return None;
        }
        let found = param(self.rest);
        self.rest = found.map(|(_, rest)| rest).unwrap_or_default();
        Some(found.map(|(param, _)| param).ok_or(Malformed))
    }
}

fn param(text: &[u8]) -> Option<(Param<'_>, &[u8])> {
    let equals = memchr::memchr2(b'=', b';', text).filter(|at| text.get(*at) == Some(&b'='))?;
    let (name, value) = (text.get(..equals)?, text.get(equals + 1..)?);
    let (value, rest, quoted) = match value.strip_prefix(b"\"") {
        Some(inner) => {
            let end = closing_quote(inner)?;
            (inner.get(..end)?, inner.get(end + 1..)?, true)
        }
        None => {
            let end = memchr::memchr(b';', value).unwrap_or(value.len());
            (value.get(..end)?.trim_ascii(), value.get(end..)?, false)
        }
    };
    let rest = rest.trim_ascii_start();
    let well = !name.is_empty()
        && name
            .iter()
            .all(|byte| byte.is_ascii_graphic() && *byte != b'"');
    let ended = rest.is_empty() || rest.starts_with(b";");
    (well && ended && (quoted || !value.is_empty())).then_some((
        Param {
            name,
            value,
            quoted,
        },
        rest,
    ))
}

/// Where the quote is that ends a quoted string; one behind a `\` does not.
fn closing_quote(inner: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr::memchr2(b'"', b'\\', inner.get(at..)?)?;
        if inner.get(at) == Some(&b'"') {
            return Some(at);
        }
        at += 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn essences_compare_without_case_and_parameters() {
        let rows = [
            ("text/plain", true),
            ("Text/PLAIN", true),
            ("text/plain; charset=utf-8", true),
            (" text/plain ;", true),
            ("text/plainer", false),
            ("", false),
            (";text/plain", false),
        ];
        for (content_type, want) in rows {
            assert_eq!(is(content_type, "text/plain"), want, "{content_type}");
        }
    }

    #[test]
    fn parameters_are_read() {
        type Row = (
            &'static str,
            &'static [Option<(&'static str, &'static str)>],
        );
        let rows: &[Row] = &[
            ("a", &[]),
            ("a;", &[]),
            ("a; b=1", &[Some(("b", "1"))]),
            ("a;b=1 ;; c=2;", &[Some(("b", "1")), Some(("c", "2"))]),
            (
                "a; b=\"x;y\\\"z\"; c=2",
                &[Some(("b", "x;y\\\"z")), Some(("c", "2"))],
            ),
            ("a; b=\"\"", &[Some(("b", ""))]),
            ("a; b", &[None]),
            ("a; b; c=1", &[None]),
            ("a; b=", &[None]),
            ("a; =1", &[None]),
            ("a; b=\"x", &[None]),
            ("a; b=\"x\\", &[None]),
            ("a; b=\"x\"y; c=1", &[None]),
            ("a; b c=1", &[None]),
        ];
        for (field, want) in rows {
            let got: Vec<_> = params(field.as_bytes()).collect();
            let want: Vec<_> = want.iter().map(|row| row.ok_or(Malformed)).collect();
            let got: Vec<_> = got
                .iter()
                .map(|it| it.map(|it| (as_str(it.name), as_str(it.value))))
                .collect();
            assert_eq!(got, want, "{field}");
        }
    }

    fn as_str(bytes: &[u8]) -> &str {
        std::str::from_utf8(bytes).unwrap()
    }
}
