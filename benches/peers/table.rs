//! The figures of all runs, and the table of their medians and ratios.
//! It never measures.

use std::fmt;

/// One row: what was measured of Hookah and of the server beside it, run by run.
pub struct Figure {
    pub name: String,
    /// The name of the server beside.
    pub beside: &'static str,
    pub target: Target,
    /// Of each run, Hookah's value and the other's; `None` where it could not be measured.
    pub runs: Vec<(Option<f64>, Option<f64>)>,
}

/// What a figure must reach.
pub enum Target {
    None,
    RatioAtMost(f64),
    RatioAtLeast(f64),
    /// Hookah's own value, whatever stands beside.
    AtMost(f64),
    /// Hookah's own value at most the first, or the ratio at most the second.
    AtMostOrRatio(f64, f64),
}

impl Figure {
    /// An empty row.
    pub fn new(name: impl Into<String>, beside: &'static str, target: Target) -> Figure {
        Figure {
            name: name.into(),
            beside,
            target,
            runs: Vec::new(),
        }
    }

    fn verdict(&self, hookah: Option<f64>, ratio: Option<f64>) -> String {
        let (text, value, reached) = match self.target {
            Target::None => return String::new(),
            Target::RatioAtMost(most) => (format!("<= {most}x"), ratio, ratio <= Some(most)),
            Target::RatioAtLeast(least) => (format!(">= {least}x"), ratio, ratio >= Some(least)),
            Target::AtMost(most) => (format!("<= {most}"), hookah, hookah <= Some(most)),
            Target::AtMostOrRatio(most, times) => {
                let reached = hookah <= Some(most) || ratio.is_some_and(|ratio| ratio <= times);
                (format!("<= {most} or {times}x"), hookah, reached)
            }
        };
        match (value, reached) {
            (None, _) => format!("{text} not measured"),
            (_, true) => format!("{text} reached"),
            (_, false) => format!("{text} MISSED"),
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hookah = Spread::of(self.runs.iter().filter_map(|run| run.0));
        let beside = Spread::of(self.runs.iter().filter_map(|run| run.1));
        // A run's own pair is compared, so that what slows the machine for a while slows both.
        let pairs = self
            .runs
            .iter()
            .filter_map(|&(hookah, beside)| Some((hookah?, beside?)));
        let ratio = Spread::of(pairs.map(|(hookah, beside)| hookah / beside));
        let spread = ratio.as_ref().map_or("-".to_owned(), |ratio| {
            format!("{:.2} ({:.2} - {:.2})", ratio.median, ratio.min, ratio.max)
        });
        let (own, other) = (
            hookah.map(|own| own.median),
            beside.map(|other| other.median),
        );
        let verdict = self.verdict(own, ratio.map(|ratio| ratio.median));
        let beside = format!("{} {}", number(other), self.beside);
        let (name, own) = (&self.name, number(own));
        let row = format!("{name:<50} {own:>10} {beside:>16}   {spread:<20} {verdict}");
        out.write_str(row.trim_end())
    }
}

/// Prints the head of the table and its rows.
pub fn print(figures: &[Figure]) {
    println!(
        "{:<50} {:>10} {:>16}   {:<20} target",
        "figure", "hookah", "beside", "ratio (min - max)"
    );
    for figure in figures {
        println!("{figure}");
    }
}

struct Spread {
    min: f64,
    median: f64,
    max: f64,
}

impl Spread {
    fn of(values: impl Iterator<Item = f64>) -> Option<Spread> {
        let mut sorted: Vec<f64> = values.collect();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let middle = (sorted[sorted.len() / 2] + sorted[(sorted.len() - 1) / 2]) / 2.0;
        Some(Spread {
            min,
            median: middle,
            max,
        })
    }
}

fn number(value: Option<f64>) -> String {
    match value {
        None => "-".to_owned(),
        Some(value) if value >= 1000.0 => format!("{value:.0}"),
        Some(value) if value >= 100.0 => format!("{value:.1}"),
        Some(value) => format!("{value:.2}"),
    }
}
