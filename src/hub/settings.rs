//! Everything the hub is told at the start, with its defaults.
//! It reads no command line; `config` pours into it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::base::units::parse_duration;
use crate::hub::name;
use crate::model::Target;

/// Everything the hub is told at the start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What the hub calls itself in Link fields, without a `/` at its end.
    pub public_url: Option<Box<str>>,
    /// How long subscriptions last.
    pub leases: Leases,
    /// Waits before a verification is tried again that got no answer (hub.md C10).
    pub verify_steps: Steps,
    /// Waits before a topic is fetched again that could not be (hub.md C26).
    pub fetch_steps: Steps,
    /// Whose subscriptions are verified again before their end.
    pub refresh: Refresh,
    /// Deny topics that are not their own `rel=self` (hub.md C20).
    pub strict_self: bool,
    /// Deny topics that do not list this hub (hub.md C21).
    pub strict_hub_link: bool,
    /// Pings within so long after a fetch lead to one later fetch.
    pub fetch_interval_min: Duration,
    /// Pass on content that did not change (hub.md C25).
    pub distribute_unchanged: bool,
    /// Topics that may be subscribed to; all if there are none.
    pub topics: Vec<TopicRule>,
    /// Topics whose subscribers get only what is new of a feed, where that is safe (hub.md C27).
    pub diff: Vec<TopicRule>,
    /// Who is asked before a subscription is verified (hub.md C22).
    pub approve: Option<Arc<Target>>,
    /// Content may be published without a token.
    pub open: bool,
    /// Callbacks and topics have to be at public addresses; else the server's own policy holds.
    pub strict_targets: bool,
    /// Bytes of a topic's content at most.
    pub content_bytes_max: usize,
    /// Subscriptions at once.
    pub subscriptions_max: usize,
    /// Messages that wait for one subscriber behind the one on its way; over it the oldest is
    /// called off.
    pub waiting_max: usize,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            public_url: None,
            leases: Leases::default(),
            verify_steps: Steps::of([5, 30, 300]),
            fetch_steps: Steps::of([5, 30, 120, 600]),
            refresh: Refresh::Push03,
            strict_self: false,
            strict_hub_link: false,
            fetch_interval_min: Duration::ZERO,
            distribute_unchanged: false,
            topics: Vec::new(),
            diff: Vec::new(),
            approve: None,
            open: false,
            strict_targets: true,
            content_bytes_max: 10 << 20,
            subscriptions_max: 100_000,
            waiting_max: 1_000,
        }
    }
}

/// Bounds of leases (hub.md C8). They are clamped to, never refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leases {
    /// For whoever does not say.
    pub default: Duration,
    /// At least.
    pub min: Duration,
    /// At most.
    pub max: Duration,
}

impl Default for Leases {
    fn default() -> Leases {
        Leases {
            default: Duration::from_secs(864_000),
            min: Duration::from_secs(300),
            max: Duration::from_secs(2_592_000),
        }
    }
}

impl Leases {
    /// The seconds that are granted to whoever asks for so many. Where the least is over the most,
    /// the most holds.
    #[must_use]
    pub fn granted(&self, asked: Option<u64>) -> u64 {
        let seconds = asked.unwrap_or(self.default.as_secs());
        seconds
            .max(self.min.as_secs())
            .min(self.max.as_secs())
            .max(1)
    }
}

/// Whose subscriptions are verified again at 90 % of their lease (hub.md C9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresh {
    /// Those of version 0.3 that asked for no lease.
    Push03,
    /// All.
    Always,
    /// None.
    Never,
}

impl Refresh {
    /// What [`Refresh::parse`] takes, in words.
    pub const FORM: &str = "push03, always, never";

    /// Reads its word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Refresh> {
        match text {
            "push03" => Some(Refresh::Push03),
            "always" => Some(Refresh::Always),
            "never" => Some(Refresh::Never),
            _ => None,
        }
    }
}

/// The waits between tries, after the last of which there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Steps(Arc<[Duration]>);

impl Steps {
    /// What [`Steps::parse`] takes, in words.
    pub const FORM: &str = "none, or up to 64 waits such as 5s,30s,5m; each up to 30d";
    /// Waits at most.
    pub const COUNT_MAX: usize = 64;
    /// The longest wait.
    pub const WAIT_MAX: Duration = Duration::from_secs(30 * 86_400);

    fn of<const N: usize>(seconds: [u64; N]) -> Steps {
        Steps(seconds.map(Duration::from_secs).into())
    }

    /// Reads a list of durations, or `none`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Steps> {
        if text.trim() == "none" {
            return Some(Steps(Arc::new([])));
        }
        let wait = |part: &str| {
            parse_duration(part.trim())
                .ok()
                .filter(|it| *it <= Steps::WAIT_MAX)
        };
        let waits: Option<Vec<Duration>> = text.split(',').map(wait).collect();
        waits
            .filter(|waits| waits.len() <= Steps::COUNT_MAX)
            .map(|waits| Steps(waits.into()))
    }

    /// The wait before try number `retry` after the first, from 1; `None` if there is no such try.
    #[must_use]
    pub fn wait(&self, retry: u32) -> Option<Duration> {
        let place = usize::try_from(retry.checked_sub(1)?).ok()?;
        self.0.get(place).copied()
    }
}

/// Topics that one line of `hub-topics` or `hub-diff` means.
#[derive(Clone, PartialEq, Eq)]
pub enum TopicRule {
    /// URLs whose key begins so.
    Prefix(Box<str>),
    /// URLs of that host and any port, or the plain name of that text.
    Name(Box<str>),
    /// URLs of hosts whose names end so; it begins with a dot.
    Below(Box<str>),
}

impl fmt::Debug for TopicRule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TopicRule::Prefix(text) | TopicRule::Name(text) => out.write_str(&name::shown(text)),
            TopicRule::Below(text) => write!(out, "*{text}"),
        }
    }
}

impl TopicRule {
    /// What [`TopicRule::parse`] takes, in words.
    pub const FORM: &str = "https://host/prefix, a host, *.host, or a plain name";

    /// Reads one rule.
    #[must_use]
    pub fn parse(text: &str) -> Option<TopicRule> {
        if text.contains("://") {
            let topic = name::TopicName::parse("", text.as_bytes()).ok()?;
            return Some(TopicRule::Prefix(topic.key().into()));
        }
        match text.strip_prefix('*') {
            Some(below) if below.len() > 1 && below.starts_with('.') => {
                let is_host = name::is_plain(below.as_bytes());
                is_host.then(|| TopicRule::Below(below.to_ascii_lowercase().into()))
            }
            Some(_) => None,
            None => name::is_plain(text.as_bytes()).then(|| TopicRule::Name(text.into())),
        }
    }

    /// Whether it lets that topic in.
    #[must_use]
    pub fn admits(&self, topic: &name::TopicName) -> bool {
        let host = topic.host();
        match self {
            // `..` behind the prefix would lead out of it again.
            TopicRule::Prefix(prefix) => {
                topic.key().starts_with(&**prefix) && !topic.has_dot_segments()
            }
            TopicRule::Name(text) => match host {
                Some(host) => host.eq_ignore_ascii_case(text),
                None => topic.given() == &**text,
            },
            TopicRule::Below(end) => host.is_some_and(|host| host.ends_with(&**end)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(text: &str) -> name::TopicName {
        name::TopicName::parse("hub.topic", text.as_bytes()).unwrap()
    }

    /// hub.md C8.
    #[test]
    fn c8_leases_are_clamped() {
        let leases = Leases::default();
        let rows = [
            (None, 864_000),
            (Some(1), 300),
            (Some(300), 300),
            (Some(301), 301),
            (Some(2_592_000), 2_592_000),
            (Some(2_592_001), 2_592_000),
            (Some(u64::MAX), 2_592_000),
        ];
        for (asked, want) in rows {
            assert_eq!(leases.granted(asked), want, "{asked:?}");
        }
        let odd = Leases {
            default: Duration::from_secs(9),
            min: Duration::from_secs(5),
            max: Duration::from_secs(2),
        };
        assert_eq!(odd.granted(None), 2);
    }

    #[test]
    fn steps_end() {
        let steps = Steps::parse("1s, 2m").unwrap();
        let waits = [0, 1, 2, 3].map(|retry| steps.wait(retry));
        let (one, two) = (Duration::from_secs(1), Duration::from_secs(120));
        assert_eq!(waits, [None, Some(one), Some(two), None]);
        assert_eq!(Steps::parse("none").unwrap().wait(1), None);
        for bad in ["", "5s,", "x", "31d", &["1s"; 65].join(",")] {
            assert_eq!(Steps::parse(bad), None, "{bad}");
        }
    }

    /// hub.md C22.
    #[test]
    fn c22_an_allow_list_goes_by_prefix_host_or_name() {
        let rows = [
            ("https://e.test/feeds/", "https://e.test/feeds/a", true),
            (
                "HTTPS://E.test:443/feeds/",
                "https://E.TEST/%66eeds/a",
                true,
            ),
            ("https://e.test/feeds/", "https://e.test/other", false),
            (
                "https://e.test/feeds/",
                "https://e.test/feeds/../other",
                false,
            ),
            (
                "https://e.test/feeds/",
                "https://e.test/feeds/%2E%2e/other",
                false,
            ),
            (
                "https://e.test/feeds/",
                "https://e.test/feeds/%2e%2e/other?%zz",
                false,
            ),
            (
                "https://e.test/feeds/",
                "https://e.test/feeds/..%2fother",
                false,
            ),
            (
                "https://e.test/feeds/",
                "https://e.test/feeds/a?b=/../c",
                true,
            ),
            ("https://e.test", "https://e.test.evil.test/", false),
            ("https://e.test", "https://e.test@evil.test/", false),
            ("e.test", "http://E.Test:81/x", true),
            ("e.test", "http://user@e.test/x", true),
            ("e.test", "http://e.test@evil.test/x", false),
            ("e.test", "http://a.e.test/x", false),
            ("*.e.test", "http://a.E.test/x", true),
            ("*.e.test", "http://e.test/x", false),
            ("orders", "orders", true),
            ("orders", "Orders", false),
            ("e.test", "e.test", true),
            ("127.0.0.1", "http://2130706433/", true),
        ];
        for (rule, text, want) in rows {
            let rule = TopicRule::parse(rule).unwrap();
            assert_eq!(rule.admits(&topic(text)), want, "{rule:?} {text}");
        }
        for bad in ["", "*", "*.", "*x", "a b", "ftp://e.test/", "https://"] {
            assert_eq!(TopicRule::parse(bad), None, "{bad}");
        }
    }
}
