//! The roll: who has a token and what each may do, as the file of tokens says it, a line a token.
//! It knows secrets by their SHA-256 alone, shows neither in an error, and opens no file.

use std::fmt;

use super::glob::{GLOB_BYTES_MAX, Glob};
use crate::base::rate::{RATE_FORM, Rate};

/// Tokens of one roll at most.
pub const TOKENS_MAX: usize = 10_000;
/// Patterns of one token at most.
pub const GLOBS_MAX: usize = 64;
/// Bytes of a name at most.
pub const NAME_BYTES_MAX: usize = 64;

/// What a name may be, in words.
pub const NAME_FORM: &str = "1 to 64 of A-Z a-z 0-9 . _ -";
/// What a line is, in words.
pub const LINE_FORM: &str = "NAME sha256:HASH RIGHTS, the hash in 64 hexadecimal digits";

/// The SHA-256 of a secret.
pub type Hash = [u8; 32];

/// Everybody who has a token.
#[derive(Clone, Debug, Default)]
pub struct Roll {
    tokens: Vec<Token>,
}

/// One token.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// What people call it; logs and windows may show it.
    pub name: Box<str>,
    /// Of its secret.
    pub hash: Hash,
    /// What its holder may do.
    pub rights: Rights,
}

/// Neither its hash nor anything of its secret gets into a trace.
impl fmt::Debug for Token {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Token({:?}, {:?})", self.name, self.rights)
    }
}

/// What the holder of a token may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// Messages to URLs; resend and cancel.
    pub dispatch: bool,
    /// Messages to topics of these names.
    pub publish: Vec<Glob>,
    /// Streams of topics of these names.
    pub subscribe: Vec<Glob>,
    /// The hub without its tolls.
    pub hub: bool,
    /// The windows, and topics of Hookah's own.
    pub read: bool,
    /// Everything.
    pub admin: bool,
    /// Its secret signs tickets.
    pub tickets: bool,
    /// Targets of its messages have to be public.
    pub strict: bool,
    /// Requests that it may make.
    pub rate: Option<Rate>,
}

/// A word that stands behind a token's hash.
#[derive(Clone, Copy)]
pub struct Row {
    /// The word, up to its value if it has one.
    pub word: &'static str,
    /// What stands for the value in texts for people; empty without one.
    pub value: &'static str,
    /// What its holder may do, in words.
    pub help: &'static str,
    take: Take,
}

#[derive(Clone, Copy)]
enum Take {
    Flag(fn(&mut Rights) -> &mut bool),
    Topics(fn(&mut Rights) -> &mut Vec<Glob>),
    Public,
    Rate,
}

/// Every word there is, in the order of the reference.
pub const TABLE: &[Row] = &[
    Row {
        word: "dispatch",
        value: "",
        help: "send messages to URLs (`_url`), cancel, resend (with `publish:` for topics)",
        take: Take::Flag(|rights| &mut rights.dispatch),
    },
    Row {
        word: "publish:",
        value: "GLOB",
        help: "publish to topics of these names, on /dispatch (`_topic`) and with content on /hub; \
               may be repeated",
        take: Take::Topics(|rights| &mut rights.publish),
    },
    Row {
        word: "subscribe:",
        value: "GLOB",
        help: "read topics of these names on /stream, and every `prefix=` that a GLOB covers; may \
               be repeated",
        take: Take::Topics(|rights| &mut rights.subscribe),
    },
    Row {
        word: "hub",
        value: "",
        help: "use /hub without the limits by client address",
        take: Take::Flag(|rights| &mut rights.hub),
    },
    Row {
        word: "read",
        value: "",
        help: "look at /messages, /topics, /subscriptions, /lanes, /flows, /queues, /metrics, and \
               read topics that begin with `$`",
        take: Take::Flag(|rights| &mut rights.read),
    },
    Row {
        word: "admin",
        value: "",
        help: "all of it, and what nobody else may: delete topics and subscriptions, pause lanes, \
               read all topics at once (`prefix=`)",
        take: Take::Flag(|rights| &mut rights.admin),
    },
    Row {
        word: "tickets",
        value: "",
        help: "sign tickets, each for one topic that the token itself may read",
        take: Take::Flag(|rights| &mut rights.tickets),
    },
    Row {
        word: "targets=",
        value: "public",
        help: "a bound, no right: its messages go to public addresses only, as with \
               `_targets=public`",
        take: Take::Public,
    },
    Row {
        word: "rate=",
        value: "N/TIME",
        help: "a bound, no right: so many requests in that time, then 429",
        take: Take::Rate,
    },
];

/// All words, as an error lists them.
#[must_use]
pub fn words() -> String {
    let mut words = String::new();
    for row in TABLE {
        let comma = if words.is_empty() { "" } else { ", " };
        words.extend([comma, row.word, row.value]);
    }
    words
}

impl Roll {
    /// Reads the file's text: on each line a name, `sha256:` and the hash of the secret, and what
    /// its holder may do. Empty lines, and those that begin with `#`, say nothing.
    ///
    /// # Errors
    /// The number of the first line that is wrong, what is wrong with it and what is allowed, but
    /// never a word that may be a hash or a secret.
    ///
    /// ```
    /// use hookah::access::Roll;
    ///
    /// let hash = "0".repeat(64);
    /// let roll = Roll::parse(&format!("# ours\nci sha256:{hash} dispatch publish:*\n")).unwrap();
    /// assert_eq!(roll.len(), 1);
    /// assert!(Roll::parse("ci hk_secret dispatch").unwrap_err().starts_with("line 1: "));
    /// ```
    pub fn parse(text: &str) -> Result<Roll, String> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut roll = Roll::default();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim_ascii();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let token = Token::parse(line).map_err(|why| format!("line {number}: {why}"))?;
            if roll.tokens.len() >= TOKENS_MAX {
                let why = format!("line {number}: one token too many; allowed: {TOKENS_MAX}");
                return Err(why);
            }
            roll.tokens.push(token);
        }
        match roll.repeated(text) {
            Some(why) => Err(why),
            None => Ok(roll),
        }
    }

    /// Two tokens of one name could not be told apart by people, two of one secret not by us.
    fn repeated(&self, text: &str) -> Option<String> {
        let is_said = |line: &str| !line.is_empty() && !line.starts_with('#');
        let lines = (1_usize..).zip(text.lines().map(str::trim_ascii));
        let lines: Vec<_> = lines.filter(|(_, line)| is_said(line)).collect();
        let mut order: Vec<_> = (0..self.tokens.len()).collect();
        let place = |at: usize| lines.get(at).map_or(0, |(number, _)| *number);
        let twice = |order: &[usize], same: &dyn Fn(&Token, &Token) -> bool| {
            let pairs = order.windows(2).filter_map(|pair| {
                let [one, other] = [self.tokens.get(pair[0])?, self.tokens.get(pair[1])?];
                same(one, other).then_some((place(pair[1]), place(pair[0])))
            });
            pairs.min()
        };
        order.sort_by_key(|at| (self.tokens.get(*at).map(|token| &token.name), *at));
        if let Some((line, first)) = twice(&order, &|one, other| one.name == other.name) {
            return Some(format!(
                "line {line}: the name is that of line {first}; allowed: once"
            ));
        }
        order.sort_by_key(|at| (self.tokens.get(*at).map(|token| token.hash), *at));
        let (line, first) = twice(&order, &|one, other| one.hash == other.hash)?;
        Some(format!(
            "line {line}: the hash is that of line {first}; allowed: once"
        ))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether nobody has one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// All of them, in the order of the file.
    #[must_use]
    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }
}

impl Token {
    /// Reads a line, which is not empty. The error says what is wrong and what is allowed.
    fn parse(line: &str) -> Result<Token, String> {
        let mut words = line.split_ascii_whitespace();
        let name = words.next().unwrap_or_default();
        check_name(name)?;
        let hash = words
            .next()
            .and_then(|word| hash(word.strip_prefix("sha256:")?));
        let Some(hash) = hash else {
            return Err(format!("word 2 is no hash; allowed: {LINE_FORM}"));
        };
        let rights = Rights::parse(words).map_err(|(at, why)| format!("word {}{why}", at + 3))?;
        let name = name.into();
        Ok(Token { name, hash, rights })
    }
}

/// Whether a token may be called so.
///
/// # Errors
/// What is allowed; the name is not repeated, as it may be a secret in the wrong place.
pub fn check_name(name: &str) -> Result<(), String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    match (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(plain) {
        true => Ok(()),
        false => Err(format!("word 1 is no name; allowed: {NAME_FORM}")),
    }
}

/// 64 hexadecimal digits.
pub(super) fn hash(digits: &str) -> Option<Hash> {
    let mut hash = Hash::default();
    let digits = digits.as_bytes();
    if digits.len() != 2 * hash.len() {
        return None;
    }
    for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
        for digit in pair {
            let value = char::from(*digit).to_digit(16)?;
            *byte = (*byte << 4) | u8::try_from(value).ok()?;
        }
    }
    Some(hash)
}

impl Rights {
    /// Reads what a token's holder may do.
    ///
    /// # Errors
    /// The place of a word that is wrong, from 0 on, and the complaint to stand behind it.
    pub fn parse<'a>(words: impl Iterator<Item = &'a str>) -> Result<Rights, (usize, String)> {
        let mut rights = Rights::default();
        let mut given = 0;
        for (at, word) in words.enumerate() {
            rights.take(word).map_err(|why| (at, why))?;
            given = at + 1;
        }
        match given {
            0 => Err((0, format!(" is missing; allowed: {}", words_form()))),
            _ => Ok(rights),
        }
    }

    fn take(&mut self, word: &str) -> Result<(), String> {
        let found = TABLE.iter().find_map(|row| {
            let value = word.strip_prefix(row.word)?;
            (row.value.is_empty() == value.is_empty()).then_some((row, value))
        });
        let Some((row, value)) = found else {
            return Err(format!(
                "{} is no right; allowed: {}",
                shown(word),
                words_form()
            ));
        };
        let refuse = |complaint: &str| Err(format!(" ({}) {complaint}", row.word));
        match row.take {
            Take::Flag(flag) if *flag(self) => refuse("is given twice; allowed: once"),
            Take::Flag(flag) => {
                *flag(self) = true;
                Ok(())
            }
            Take::Topics(list) if list(self).len() >= GLOBS_MAX => {
                refuse(&format!("is one too many; allowed: {GLOBS_MAX} patterns"))
            }
            Take::Topics(list) => match Glob::new(value.as_bytes()) {
                Some(glob) => {
                    list(self).push(glob);
                    Ok(())
                }
                None => refuse(&format!("is too long; allowed: {GLOB_BYTES_MAX} bytes")),
            },
            Take::Public if value != "public" => refuse("is not public; allowed: targets=public"),
            Take::Public => {
                self.strict = true;
                Ok(())
            }
            Take::Rate if self.rate.is_some() => refuse("is given twice; allowed: once"),
            Take::Rate => match Rate::parse(value) {
                Ok(rate) => {
                    self.rate = Some(rate);
                    Ok(())
                }
                Err(complaint) => refuse(&format!("{complaint}; allowed: {RATE_FORM}")),
            },
        }
    }
}

fn words_form() -> String {
    format!("{}, one space between them", words())
}

/// A word that nobody knows, unless it may be a secret: what people mistype has few letters.
fn shown(word: &str) -> String {
    let head = word.split_inclusive([':', '=']).next().unwrap_or_default();
    let plain = |byte: u8| byte.is_ascii_lowercase() || b":=".contains(&byte);
    match head.len() <= 12 && head.bytes().all(plain) {
        true => format!(" ({head:?})"),
        false => String::new(),
    }
}

#[cfg(test)]
mod tests;
