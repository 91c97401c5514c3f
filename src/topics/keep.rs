//! How much topics keep for those who come later, and the rules for some of them by their names.
//! It holds no message.

use std::time::Duration;

use super::Settings;

/// Rules at most.
pub const RULES_MAX: usize = 1_024;
/// What names a rule, in words.
pub const NAME_FORM: &str = "a topic's name of 1 to 1024 bytes, or its beginning and *";
/// What stands at the end of a beginning.
const REST: u8 = b'*';
/// Bytes of a name at most.
const NAME_BYTES_MAX: usize = 1_024;

/// How much one topic keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// So many messages,
    pub messages: usize,
    /// for so long,
    pub age: Duration,
    /// and so many bytes of them.
    pub bytes: usize,
}

/// How much the topics of some names keep, where it is not what all others do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// A topic's name, or its beginning and `*`.
    pub name: Box<[u8]>,
    /// Messages.
    pub messages: Option<usize>,
    /// How long.
    pub age: Option<Duration>,
    /// Bytes of messages.
    pub bytes: Option<usize>,
}

impl Rule {
    fn over(&self, keep: Keep) -> Keep {
        Keep {
            messages: self.messages.unwrap_or(keep.messages),
            age: self.age.unwrap_or(keep.age),
            bytes: self.bytes.unwrap_or(keep.bytes),
        }
    }
}

/// Whether a rule may have that name.
#[must_use]
pub fn is_name(name: &[u8]) -> bool {
    (1..=NAME_BYTES_MAX).contains(&name.len())
}

/// All rules: a topic goes by the one of its own name, else by the longest beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// By name, to be searched.
    names: Vec<Rule>,
    /// The same of beginnings, without what stands for the rest.
    beginnings: Vec<Rule>,
    /// How long beginnings are, the longest first.
    lengths: Vec<usize>,
}

impl Rules {
    /// Those rules; of two with one name the later holds. At most [`RULES_MAX`] are looked at.
    #[must_use]
    pub fn new(rules: impl IntoIterator<Item = Rule>) -> Rules {
        let mut made = Rules::default();
        for rule in rules.into_iter().take(RULES_MAX) {
            let (list, name) = match rule.name.strip_suffix(&[REST]) {
                Some(beginning) => (&mut made.beginnings, beginning.into()),
                None => (&mut made.names, rule.name.clone()),
            };
            let rule = Rule { name, ..rule };
            match list.binary_search_by(|it| it.name.cmp(&rule.name)) {
                Ok(place) => list[place] = rule,
                Err(place) => list.insert(place, rule),
            }
        }
        made.lengths = made.beginnings.iter().map(|it| it.name.len()).collect();
        made.lengths.sort_unstable_by(|one, other| other.cmp(one));
        made.lengths.dedup();
        made
    }

    /// The rule for the topic of that name.
    #[must_use]
    pub fn find(&self, name: &[u8]) -> Option<&Rule> {
        let of = |list: &[Rule], name: &[u8]| list.binary_search_by(|it| (*it.name).cmp(name)).ok();
        if let Some(place) = of(&self.names, name) {
            return self.names.get(place);
        }
        let beginnings = self.lengths.iter().filter_map(|length| name.get(..*length));
        let mut found = beginnings.filter_map(|beginning| of(&self.beginnings, beginning));
        self.beginnings.get(found.next()?)
    }

    fn all(&self) -> impl Iterator<Item = &Rule> {
        self.names.iter().chain(&self.beginnings)
    }
}

impl Settings {
    /// What a topic keeps for which there is no rule.
    pub(super) fn keep(&self) -> Keep {
        Keep {
            messages: self.backlog_messages,
            age: self.backlog_age,
            bytes: self.backlog_bytes,
        }
    }

    /// What the topic of that name keeps.
    #[must_use]
    pub fn keep_of(&self, name: &[u8]) -> Keep {
        let keep = self.keep();
        self.rules.find(name).map_or(keep, |rule| rule.over(keep))
    }

    /// The most that any topic may keep of each.
    #[must_use]
    pub fn widest(&self) -> Keep {
        self.rules.all().fold(self.keep(), |widest, rule| {
            let keep = rule.over(self.keep());
            Keep {
                messages: widest.messages.max(keep.messages),
                age: widest.age.max(keep.age),
                bytes: widest.bytes.max(keep.bytes),
            }
        })
    }

    /// All ages at which anything is let go, each once, in their order.
    pub(super) fn ages(&self) -> Vec<Duration> {
        let ages = self.rules.all().filter_map(|rule| rule.age);
        let mut ages: Vec<Duration> = ages.chain([self.backlog_age]).collect();
        ages.sort_unstable();
        ages.dedup();
        ages
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(name: &str, messages: usize) -> Rule {
        Rule {
            name: name.as_bytes().into(),
            messages: Some(messages),
            age: None,
            bytes: None,
        }
    }

    #[test]
    fn the_own_name_wins_and_then_the_longest_beginning() {
        let rules = [
            rule("*", 1),
            rule("news*", 2),
            rule("news/sport*", 3),
            rule("news/sport", 4),
            rule("news", 5),
            rule("news", 6),
        ];
        let settings = Settings {
            rules: Rules::new(rules),
            ..Settings::default()
        };
        let rows = [
            ("a", 1),
            ("new", 1),
            ("news", 6),
            ("newsy", 2),
            ("news/sport", 4),
            ("news/sports", 3),
            ("news/", 2),
        ];
        for (name, messages) in rows {
            let keep = settings.keep_of(name.as_bytes());
            assert_eq!(keep.messages, messages, "{name}");
            assert_eq!(keep.age, settings.backlog_age, "{name}");
        }
        assert_eq!(settings.widest().messages, 100);
        assert_eq!(Settings::default().keep_of(b"x").messages, 100);
    }

    #[test]
    fn ages_stand_once_each() {
        let of = |name: &str, seconds| Rule {
            age: Some(Duration::from_secs(seconds)),
            ..rule(name, 1)
        };
        let settings = Settings {
            rules: Rules::new([of("a", 5), of("b", 7_200), of("c*", 5), of("d", 3_600)]),
            ..Settings::default()
        };
        let seconds: Vec<u64> = settings.ages().iter().map(Duration::as_secs).collect();
        assert_eq!(seconds, [5, 3_600, 7_200]);
        assert_eq!(settings.widest().age.as_secs(), 7_200);
    }
}
