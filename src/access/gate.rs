//! The gate: who a request comes from, by the roll that holds now, and what that one may do.
//! It sends nothing and ends nothing; whoever asks does that.

use std::fmt::{self, Write as _};
use std::hint::black_box;
use std::net::IpAddr;
use std::time::Duration;

use ring::digest::{SHA256, digest};

use super::roll::{Hash, Rights, Roll, Token};
use super::shown::{Claim, Shown};
use super::ticket::Ticket;
use crate::base::time::{Mono, Now, Wall};
use crate::base::toll::Toll;
use crate::http::problem::{Problem, Reason, SHOWN_CHARS_MAX};
use crate::model::{Door, Visitor};

/// Wrong credentials that one address may show in a minute.
const FAILURES_PER_MINUTE_MAX: u32 = 10;

/// A token as the streams that it opened know it: one that is changed in any way gets another.
pub type Mark = u32;
/// The mark of those who were let in without a token.
pub const UNMARKED: Mark = 0;

/// Whom a request comes from. It holds as long as the roll does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// There are no tokens, and nobody is asked.
    Anyone,
    /// The user that the server runs as, or root, through a Unix socket.
    Owner,
    /// The holder of a token, by its place.
    Token(usize),
    /// The holder of a ticket for a topic that the token of that place may read.
    Ticket {
        /// The token that signed it.
        token: usize,
        /// When it ends.
        until: Wall,
    },
    /// Somebody who shows nothing.
    Stranger,
}

/// What somebody may do or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right<'a> {
    /// Send messages to URLs, resend and cancel them.
    Dispatch,
    /// Send any message at all.
    Send,
    /// Publish to this topic.
    Publish(&'a [u8]),
    /// Read anything at all as a stream.
    Stream,
    /// Read this topic.
    Subscribe(&'a [u8]),
    /// Read every topic that begins so.
    Prefix(&'a [u8]),
    /// Use the hub without tolls.
    Hub,
    /// Look at the windows.
    Read,
    /// Everything else.
    Admin,
}

/// Why somebody is not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// As it is answered.
    pub problem: Problem,
    /// Whether it counts as a failure of its address: the credentials were wrong, not just old.
    pub counts: bool,
}

/// What a new roll has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Enrolled {
    /// Tokens there are now.
    pub tokens: usize,
    /// Of these, tokens that were not there before, or not with these rights.
    pub new: usize,
    /// Tokens that are gone, or have other rights.
    pub gone: usize,
}

/// The gate.
#[derive(Debug)]
pub struct Gate {
    /// None: everybody may do everything.
    book: Option<Book>,
    failures: Toll,
    last_mark: Mark,
}

/// A roll in use.
#[derive(Debug, Default)]
struct Book {
    entries: Vec<Entry>,
    /// The first bytes of each hash and the place of its token, in order.
    by_hash: Vec<(u64, usize)>,
    /// All marks, in order.
    marks: Vec<Mark>,
}

#[derive(Debug)]
struct Entry {
    token: Token,
    mark: Mark,
    /// When it will have made up for all its requests.
    clear_at: Mono,
}

impl Gate {
    /// A gate that goes by that roll, or stands open without. `seed` is for its maps.
    #[must_use]
    pub fn new(roll: Option<Roll>, seed: u64) -> Gate {
        let mut gate = Gate {
            book: None,
            failures: Toll::per_minute(FAILURES_PER_MINUTE_MAX, seed),
            last_mark: UNMARKED,
        };
        if let Some(roll) = roll {
            gate.enrol(&roll);
        }
        gate
    }

    /// Whether everybody may do everything.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.book.is_none()
    }

    /// How many tokens are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.book.as_ref().map_or(0, |book| book.entries.len())
    }

    /// Whether no token is known: nobody is let in, or everybody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Goes by another roll from now on. A token that is the same keeps its mark, and what it has
    /// used of its rate.
    pub fn enrol(&mut self, roll: &Roll) -> Enrolled {
        let old = self.book.take().unwrap_or_default();
        let mut entries = Vec::with_capacity(roll.len());
        let mut kept = 0;
        for token in roll.tokens() {
            let known = old.find(&token.hash).and_then(|at| old.entries.get(at));
            let same = known.filter(|known| known.token == *token);
            kept += usize::from(same.is_some());
            let mark = same.map_or_else(|| self.next_mark(), |known| known.mark);
            entries.push(Entry {
                token: token.clone(),
                mark,
                clear_at: known.map_or(Mono::default(), |known| known.clear_at),
            });
        }
        let book = Book::of(entries);
        let enrolled = Enrolled {
            tokens: book.entries.len(),
            new: book.entries.len() - kept,
            gone: old.entries.len() - kept,
        };
        self.book = Some(book);
        enrolled
    }

    fn next_mark(&mut self) -> Mark {
        self.last_mark = self.last_mark.wrapping_add(1).max(UNMARKED + 1);
        self.last_mark
    }

    /// Whether whoever came with that mark would still be let in the same way.
    #[must_use]
    pub fn knows(&self, mark: Mark) -> bool {
        let book = self.book.as_ref();
        mark == UNMARKED || book.is_some_and(|book| book.marks.binary_search(&mark).is_ok())
    }

    /// Whom a request comes from.
    ///
    /// # Errors
    /// It shows what is not right, or not any more.
    pub fn look(&self, now: Wall, visitor: Visitor, claim: &Claim<'_>) -> Result<Who, Wrong> {
        let Some(book) = &self.book else {
            return Ok(Who::Anyone);
        };
        let owner = visitor.door == Door::Unix { owner: true };
        let found = match claim.read() {
            Shown::Nothing if owner => return Ok(Who::Owner),
            Shown::Nothing => return Ok(Who::Stranger),
            Shown::Secret(secret) => book.find(&hash_of(&secret)).map(Who::Token),
            Shown::Ticket(ticket) => Some(book.admit(now, &ticket)?),
            Shown::Wrong => None,
        };
        // Whoever shows something is judged by it, the owner too: a token that is taken away must
        // not become more than it was.
        found.ok_or_else(|| invalid("", true))
    }

    /// Somebody at that address has shown what is wrong.
    ///
    /// # Errors
    /// How long it is to wait: it did so too often.
    pub fn failed(&mut self, now: Mono, peer: IpAddr) -> Result<(), Duration> {
        self.failures.pay(now, peer)
    }

    /// A request of that one is counted.
    ///
    /// # Errors
    /// How long it is to wait: its rate is used up.
    pub fn spend(&mut self, now: Now, who: Who) -> Result<(), Duration> {
        let Who::Token(at) = who else {
            return Ok(());
        };
        let entry = self.book.as_mut().and_then(|it| it.entries.get_mut(at));
        let Some(entry) = entry else {
            return Ok(());
        };
        let Some(rate) = entry.token.rights.rate else {
            return Ok(());
        };
        let interval = rate.span / rate.count.max(1);
        let owed = entry.clear_at.since(now.mono);
        let most = rate.span.saturating_sub(interval);
        if owed > most {
            return Err(owed - most);
        }
        entry.clear_at = now.mono + owed + interval;
        Ok(())
    }

    /// Whether that one may do that.
    #[must_use]
    pub fn may(&self, who: Who, right: Right<'_>) -> bool {
        match who {
            Who::Anyone | Who::Owner => true,
            Who::Stranger => false,
            Who::Token(_) => self.token(who).is_some_and(|it| it.rights.include(right)),
            Who::Ticket { .. } => match right {
                Right::Stream => true,
                Right::Subscribe(_) => self.token(who).is_some_and(|it| it.rights.include(right)),
                _ => false,
            },
        }
    }

    /// The same, and how it is refused.
    ///
    /// # Errors
    /// 401 to those who have shown nothing, 403 to all others, with the right that is missing.
    pub fn demand(&self, who: Who, right: Right<'_>) -> Result<(), Problem> {
        if self.may(who, right) {
            return Ok(());
        }
        let (reason, detail) = match who {
            Who::Stranger => (
                Reason::CredentialsMissing,
                format!("right: {right} is needed; allowed: Authorization: Bearer TOKEN"),
            ),
            _ => (
                Reason::InsufficientScope,
                format!("right: {right} is missing"),
            ),
        };
        Err(Problem::new(reason, detail))
    }

    /// The scope of the keys that such a client gives its requests: empty without a token.
    #[must_use]
    pub fn scope(&self, who: Who) -> &str {
        self.token(who).map_or("", |token| &token.name)
    }

    /// Whether targets of such a client's messages have to be public.
    #[must_use]
    pub fn is_strict(&self, who: Who) -> bool {
        self.token(who).is_some_and(|token| token.rights.strict)
    }

    /// The mark of what such a client opens.
    #[must_use]
    pub fn mark(&self, who: Who) -> Mark {
        self.entry(who).map_or(UNMARKED, |entry| entry.mark)
    }

    /// Whoever had that mark; nobody any more if its token is gone or has other rights.
    #[must_use]
    pub fn marked(&self, mark: Mark) -> Who {
        let entries = self.book.iter().flat_map(|book| &book.entries);
        let mut marks = entries.map(|entry| entry.mark);
        let found = marks.position(|it| it == mark && mark != UNMARKED);
        found.map_or(Who::Stranger, Who::Token)
    }

    fn token(&self, who: Who) -> Option<&Token> {
        self.entry(who).map(|entry| &entry.token)
    }

    fn entry(&self, who: Who) -> Option<&Entry> {
        let (Who::Token(at) | Who::Ticket { token: at, .. }) = who else {
            return None;
        };
        self.book.as_ref()?.entries.get(at)
    }
}

impl Book {
    fn of(entries: Vec<Entry>) -> Book {
        let hashes = entries.iter().map(|entry| first(&entry.token.hash));
        let mut by_hash: Vec<_> = hashes.zip(0..).collect();
        by_hash.sort_unstable();
        let mut marks: Vec<_> = entries.iter().map(|entry| entry.mark).collect();
        marks.sort_unstable();
        Book {
            entries,
            by_hash,
            marks,
        }
    }

    /// The place of the token with the secret of that hash. Only its first bytes are searched for,
    /// and whoever could tell from the time how many of them fit would still need a secret with
    /// such a hash; of those that fit the whole is compared in constant time.
    fn find(&self, hash: &Hash) -> Option<usize> {
        let start = self.by_hash.partition_point(|(it, _)| *it < first(hash));
        let like = self.by_hash.get(start..).unwrap_or_default();
        let mut like = like.iter().take_while(|(it, _)| *it == first(hash));
        let is_it = |at: usize| {
            let entry = self.entries.get(at);
            entry.is_some_and(|entry| equal(&entry.token.hash, hash))
        };
        like.find_map(|(_, at)| is_it(*at).then_some(*at))
    }

    /// Whoever has a ticket may read its topic if the token that signed it may.
    fn admit(&self, now: Wall, ticket: &Ticket<'_>) -> Result<Who, Wrong> {
        let named = |entry: &Entry| entry.token.name.as_bytes() == &*ticket.key;
        let at = self.entries.iter().position(named);
        let entry = at.and_then(|at| Some((at, self.entries.get(at)?)));
        let signed = entry.filter(|(_, entry)| ticket.is_signed_by(&entry.token.hash));
        let (Some((token, entry)), Some(until)) = (signed, ticket.until()) else {
            return Err(invalid(
                "sig: it is not right for this topic and time",
                true,
            ));
        };
        if until <= now {
            return Err(invalid("exp: the ticket has expired", false));
        }
        let Rights { tickets, admin, .. } = entry.token.rights;
        let reads = entry.token.rights.include(Right::Subscribe(&ticket.topic));
        match reads && (tickets || admin) {
            true => Ok(Who::Ticket { token, until }),
            false => Err(Wrong {
                problem: Problem::new(
                    Reason::InsufficientScope,
                    "key: the token that signed the ticket may not; needed: tickets, and to \
                     subscribe to the topic",
                ),
                counts: false,
            }),
        }
    }
}

impl Rights {
    /// Whether they include that one.
    fn include(&self, right: Right<'_>) -> bool {
        if self.admin {
            return true;
        }
        match right {
            Right::Dispatch => self.dispatch,
            Right::Send => self.dispatch || !self.publish.is_empty(),
            Right::Publish(topic) => self.publish.iter().any(|glob| glob.matches(topic)),
            Right::Stream => self.read || !self.subscribe.is_empty(),
            Right::Subscribe(topic) if is_ours(topic) => self.read,
            Right::Subscribe(topic) => self.subscribe.iter().any(|glob| glob.matches(topic)),
            // All there is, with what is ours.
            Right::Prefix(b"") => false,
            Right::Prefix(prefix) if is_ours(prefix) => self.read,
            Right::Prefix(prefix) => self.subscribe.iter().any(|glob| glob.covers(prefix)),
            Right::Hub => self.hub,
            Right::Read => self.read,
            Right::Admin => false,
        }
    }
}

/// Topics that begin with `$` are Hookah's own. Only a prefix that is empty, or begins so itself,
/// takes any of them in.
fn is_ours(topic: &[u8]) -> bool {
    topic.first() == Some(&b'$')
}

/// As the file of tokens would have it.
impl fmt::Display for Right<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, topic) = match *self {
            Right::Dispatch => ("dispatch", None),
            Right::Send => ("dispatch or publish:GLOB", None),
            Right::Publish(topic) => ("publish:", Some(topic)),
            Right::Stream => ("subscribe:GLOB", None),
            Right::Subscribe(topic) | Right::Prefix(topic) if is_ours(topic) => ("read", None),
            Right::Subscribe(topic) => ("subscribe:", Some(topic)),
            Right::Prefix(b"") | Right::Admin => ("admin", None),
            Right::Prefix(prefix) => ("subscribe:", Some(prefix)),
            Right::Hub => ("hub", None),
            Right::Read => ("read", None),
        };
        out.write_str(word)?;
        let start = topic.map(|topic| topic.get(..4 * SHOWN_CHARS_MAX).unwrap_or(topic));
        let shown = String::from_utf8_lossy(start.unwrap_or_default());
        for letter in shown.chars().take(SHOWN_CHARS_MAX) {
            write!(out, "{}", letter.escape_debug())?;
        }
        match self {
            Right::Prefix(prefix) if !prefix.is_empty() && !is_ours(prefix) => out.write_char('*'),
            _ => Ok(()),
        }
    }
}

fn invalid(detail: &'static str, counts: bool) -> Wrong {
    Wrong {
        problem: Problem::new(Reason::InvalidToken, detail),
        counts,
    }
}

fn hash_of(secret: &[u8]) -> Hash {
    let hash = digest(&SHA256, secret);
    hash.as_ref().try_into().unwrap_or_default()
}

fn first(hash: &Hash) -> u64 {
    hash.first_chunk().map_or(0, |it| u64::from_be_bytes(*it))
}

/// In a time that does not depend on where they differ.
fn equal(one: &Hash, other: &Hash) -> bool {
    let pairs = one.iter().zip(other);
    black_box(pairs.fold(0, |differing, (one, other)| differing | (one ^ other))) == 0
}

#[cfg(test)]
mod tests;
