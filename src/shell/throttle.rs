//! How many lines of one event the log takes, so that no peer can fill a disk through it.
//! It knows the time that it is told and writes nothing.

/// Lines of one event in one span at most.
pub(super) const LINES_MAX: u32 = 200;
/// A span, in seconds.
pub(super) const SPAN: u64 = 10;
/// Events that are counted apart; any others are one.
const EVENTS_MAX: usize = 96;

/// What becomes of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is written.
    Write,
    /// It is written, behind a line that says how many were not in the event's last span.
    After(u64),
    /// It is the first that is not written: a line says that more follow.
    Limit,
    /// It is not written.
    Drop,
}

/// Counts lines by event.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    events: Vec<Event>,
}

#[derive(Debug)]
struct Event {
    name: String,
    /// The span that is counted, by its number.
    span: u64,
    lines: u32,
    dropped: u64,
}

impl Throttle {
    /// What becomes of a line of that event at that time, in seconds on any clock.
    pub(super) fn admit(&mut self, event: &str, seconds: u64) -> Verdict {
        let span = seconds / SPAN;
        let found = self.events.iter().position(|it| it.name == event);
        let place = match found {
            Some(place) => place,
            None if self.events.len() < EVENTS_MAX => {
                let name = event.to_owned();
                let (lines, dropped) = (0, 0);
                let event = Event {
                    name,
                    span,
                    lines,
                    dropped,
                };
                self.events.push(event);
                self.events.len() - 1
            }
            None => EVENTS_MAX - 1,
        };
        let Some(event) = self.events.get_mut(place) else {
            return Verdict::Write;
        };
        // A clock that was set back begins a span, too.
        if event.span != span {
            (event.span, event.lines) = (span, 1);
            return match std::mem::take(&mut event.dropped) {
                0 => Verdict::Write,
                dropped => Verdict::After(dropped),
            };
        }
        event.lines = event.lines.saturating_add(1);
        if event.lines <= LINES_MAX {
            return Verdict::Write;
        }
        event.dropped += 1;
        match event.dropped {
            1 => Verdict::Limit,
            _ => Verdict::Drop,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_one_event_is_cut_and_told_and_no_other_is_touched() {
        let mut throttle = Throttle::default();
        for _ in 0..LINES_MAX {
            assert_eq!(throttle.admit("flood", 17), Verdict::Write);
        }
        assert_eq!(throttle.admit("flood", 18), Verdict::Limit);
        assert_eq!(throttle.admit("flood", 19), Verdict::Drop);
        assert_eq!(throttle.admit("other", 19), Verdict::Write);
        assert_eq!(throttle.admit("flood", 20), Verdict::After(2));
        for _ in 1..LINES_MAX {
            assert_eq!(throttle.admit("flood", 29), Verdict::Write);
        }
        assert_eq!(throttle.admit("flood", 29), Verdict::Limit);
        assert_eq!(throttle.admit("flood", 3), Verdict::After(1));
    }

    #[test]
    fn many_events_are_no_way_around_it() {
        let mut throttle = Throttle::default();
        let written = (0..10_000).filter(|number| {
            let event = format!("event_{number}");
            throttle.admit(&event, 1) == Verdict::Write
        });
        let most = EVENTS_MAX + LINES_MAX as usize;
        assert!(written.count() <= most);
        assert_eq!(throttle.events.len(), EVENTS_MAX);
    }
}
