//! Cuts members out of a JSON object and leaves every other byte as it was.
//! It reads no JSON itself; whoever does, says where the members are.

use std::ops::Range;

use super::scan::Member;

/// Collects what is left of an object that members are cut from: each with the comma behind it and
/// the white space up to the next name, the last with the comma before it.
#[derive(Debug)]
pub struct Cutter<'a> {
    text: &'a [u8],
    /// The last member that was kept.
    kept: Option<Member>,
    /// Up to here everything is decided.
    end: usize,
    begun: bool,
}

impl<'a> Cutter<'a> {
    /// Nothing of `text` is decided yet.
    #[must_use]
    pub fn new(text: &'a [u8]) -> Cutter<'a> {
        Cutter {
            text,
            kept: None,
            end: 0,
            begun: false,
        }
    }

    /// The next member, in order; appends what is certain to stay.
    pub fn take(&mut self, member: &Member, keep: bool, out: &mut Vec<u8>) {
        if !self.begun {
            self.begun = true;
            self.copy(0..member.start(), out);
        }
        self.end = member.value.end;
        if !keep {
            return;
        }
        if let Some(last) = self.kept.take() {
            self.copy(last.value.end..last.next, out);
        }
        self.copy(member.start()..member.value.end, out);
        self.kept = Some(member.clone());
    }

    /// There are no more members: appends the rest.
    pub fn finish(mut self, out: &mut Vec<u8>) {
        // Between the last that is kept and its comma, which goes if members behind it went.
        if let Some(last) = self.kept.take()
            && last.value.end < self.end
        {
            self.copy(last.value.end..last.comma.unwrap_or(last.value.end), out);
        }
        self.copy(self.end..self.text.len(), out);
    }

    fn copy(&self, range: Range<usize>, out: &mut Vec<u8>) {
        out.extend_from_slice(self.text.get(range).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::json::scan::object;

    #[test]
    fn a_cut_takes_its_comma_and_the_space_behind_it() {
        let rows = [
            ("{\"_u\":1}", "{}"),
            ("{ \"_u\" : 1 }", "{  }"),
            ("{\"_u\":1,\"a\":2}", "{\"a\":2}"),
            ("{ \"_u\":1 ,\n  \"a\":2 }", "{ \"a\":2 }"),
            ("{\"a\":2,\"_u\":1}", "{\"a\":2}"),
            ("{\"a\":2 , \"_u\":1 }", "{\"a\":2  }"),
            ("{\"a\":2, \"_u\":1, \"_v\":1\n}\n", "{\"a\":2\n}\n"),
            (
                "{\"_u\":1,\"a\":2,\"_v\":3,\"b\":4,\"_w\":5}",
                "{\"a\":2,\"b\":4}",
            ),
            (
                "{\"_u\":1,\"_v\":2, \"a\" :\t3,\"b\":4 }",
                "{\"a\" :\t3,\"b\":4 }",
            ),
            ("{\"_u\":1, \"_v\":2 }", "{ }"),
            (
                "{\"a\":{\"_u\":1},\"b\":[\"_u\"]}",
                "{\"a\":{\"_u\":1},\"b\":[\"_u\"]}",
            ),
        ];
        for (text, want) in rows {
            let mut out = Vec::new();
            let mut cutter = Cutter::new(text.as_bytes());
            for member in object(text.as_bytes()).unwrap().unwrap() {
                let member = member.unwrap();
                let keep = !text[member.name.clone()].starts_with("\"_");
                cutter.take(&member, keep, &mut out);
            }
            cutter.finish(&mut out);
            assert_eq!(String::from_utf8(out).unwrap(), want, "{text}");
        }
    }
}
