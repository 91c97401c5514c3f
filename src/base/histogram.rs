//! The one table of distributions, and their values: how often something was as large as that.
//! It never formats or exports anything; whoever shows the numbers walks `Histogram::ALL`.

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Microseconds here, seconds to the world.
    Micros,
    /// Things.
    Count,
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The metric's name in Prometheus style, with its unit.
    pub name: &'static str,
    /// One line of help.
    pub help: &'static str,
    /// What the bounds count.
    pub unit: Unit,
    /// The buckets' upper bounds, each of them still within its bucket; beyond the last is one
    /// bucket more.
    pub bounds: &'static [u64],
}

macro_rules! table {
    ($($variant:ident $unit:ident $name:literal $help:literal $bounds:expr;)+) => {
        /// A distribution that Hookah keeps about itself.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Histogram {
            $(#[doc = $help] $variant,)+
        }

        impl Histogram {
            /// Every row, in the table's order.
            pub const ALL: &'static [Histogram] = &[$(Histogram::$variant,)+];

            /// Name, help, unit and bounds.
            #[must_use]
            pub fn row(self) -> Row {
                match self {
                    $(Histogram::$variant => Row {
                        name: $name,
                        help: $help,
                        unit: Unit::$unit,
                        bounds: $bounds,
                    },)+
                }
            }
        }
    };
}

table! {
    Turn Micros "hookah_turn_seconds" "Time that a turn of the event loop took, its waiting apart."
        &[10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 50_000, 250_000, 1_000_000];
    Commit Micros "hookah_commit_seconds"
        "Time from handing something to the store until it lasts."
        &[100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 100_000, 500_000, 2_000_000,
          10_000_000, 30_000_000];
    Delivery Micros "hookah_delivery_seconds"
        "Time from taking a message in until a target has it, delays and retries included."
        &[1_000, 5_000, 10_000, 50_000, 100_000, 500_000, 1_000_000, 5_000_000, 15_000_000,
          60_000_000, 300_000_000, 3_600_000_000, 86_400_000_000];
    FanOut Count "hookah_fanout_streams" "Streams that get a message which was published."
        &[0, 1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000];
}

/// Buckets of a row at most, the one beyond its bounds included.
const BUCKETS_MAX: usize = 16;

/// The values of one distribution.
#[derive(Clone, Copy, Debug, Default)]
pub struct Values {
    /// How often each bucket alone was met.
    buckets: [u64; BUCKETS_MAX],
    /// The sum of all that was observed, in the row's own unit.
    pub sum: u64,
}

impl Values {
    /// Takes in one observation; `bounds` are those of its row.
    pub(super) fn observe(&mut self, bounds: &[u64], value: u64) {
        let bucket = bounds.iter().take_while(|bound| **bound < value).count();
        if let Some(count) = self.buckets.get_mut(bucket) {
            *count += 1;
        }
        self.sum = self.sum.saturating_add(value);
    }

    /// How often it was at most each bound, and how often in all.
    pub fn cumulated(&self) -> impl Iterator<Item = u64> {
        self.buckets.iter().scan(0, |sum, count| {
            *sum += count;
            Some(*sum)
        })
    }

    /// How many observations there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_keeps_to_the_conventions() {
        for histogram in Histogram::ALL {
            let row = histogram.row();
            let (name, bounds) = (row.name, row.bounds);
            assert!(bounds.len() < BUCKETS_MAX, "{name}");
            assert!(bounds.windows(2).all(|pair| pair[0] < pair[1]), "{name}");
            let suffix = name.ends_with("_seconds");
            assert_eq!(suffix, row.unit == Unit::Micros, "{name}");
            assert!(
                name.starts_with("hookah_") && row.help.ends_with('.'),
                "{name}"
            );
        }
    }

    #[test]
    fn a_bound_is_within_its_bucket_and_the_last_bucket_has_none() {
        let mut values = Values::default();
        for value in [0, 10, 11, 100, 1_000] {
            values.observe(&[10, 100], value);
        }
        let cumulated: Vec<u64> = values.cumulated().take(3).collect();
        assert_eq!(cumulated, [2, 4, 5]);
        assert_eq!((values.count(), values.sum), (5, 1_121));
    }
}
