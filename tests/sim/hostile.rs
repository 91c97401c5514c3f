//! The ways to be hostile, which the stories with the real binary play too, as scripts of targets.
//! Those of TLS are left out: here it is the shell's, and its failures are words.

use std::sync::OnceLock;

use crate::script::Step;
use crate::ways::{self, Row, Wanted};
use crate::world::{MS, SECOND};

/// The ways that can be played here, in an order that never changes.
pub fn all() -> &'static [Row] {
    static ROWS: OnceLock<Vec<Row>> = OnceLock::new();
    // The readers here are strict, and would not know an answer that is not.
    // `Behaviour::Sends` knows what becomes of those that are sent elsewhere.
    let sends = |row: &Row| matches!(row.wanted, Wanted::Refuses(301 | 302 | 307 | 308));
    let plays = |row: &Row| !row.secure && !row.sloppy && !sends(row);
    ROWS.get_or_init(|| ways::rows().into_iter().filter(plays).collect())
}

/// Whether a request may be written before anything goes wrong.
pub fn lets_speak(row: &Row) -> bool {
    let hears = matches!(row.steps.first(), Some(ways::Step::Hear));
    hears && !row.behind
}

/// Whether each order is delivered at its first attempt.
pub fn is_good(row: &Row) -> bool {
    matches!(row.wanted, Wanted::Delivers(_)) && !row.behind
}

/// What it does when a connection is made.
pub fn greet(row: &Row) -> Vec<Step> {
    let before = row.steps.iter();
    let before = before.take_while(|step| !matches!(step, ways::Step::Hear));
    before.flat_map(steps).collect()
}

/// What it does when a request is complete.
pub fn answer(row: &Row) -> Vec<Step> {
    let after = row.steps.iter();
    let after = after.skip_while(|step| !matches!(step, ways::Step::Hear));
    after.skip(1).flat_map(steps).collect()
}

/// Without end means here: for longer than anybody has patience.
fn steps(step: &ways::Step) -> Vec<Step> {
    match step {
        ways::Step::Hear | ways::Step::HearHello => Vec::new(),
        ways::Step::Say(text) => vec![Step::Send(text.clone())],
        ways::Step::Flood(text) => {
            let block = text.repeat(8_000_usize.div_ceil(text.len()));
            let one = [Step::Send(block), Step::Wait(10 * MS)];
            std::iter::repeat_n(one, 40).flatten().collect()
        }
        ways::Step::Drip(text) => {
            let drops = text.iter().cycle().take(80);
            let drop = |byte: &u8| [Step::Send(vec![*byte]), Step::Wait(SECOND)];
            drops.flat_map(drop).collect()
        }
        ways::Step::Finish => vec![Step::Fin],
        ways::Step::Reset => vec![Step::Wait(200 * MS), Step::Reset],
        ways::Step::Close => vec![Step::Close],
    }
}

#[cfg(test)]
mod tests {
    use hookah::model::Outcome;

    use super::*;
    use crate::behaviour::Behaviour;
    use crate::net::Shape;
    use crate::setup;
    use crate::stories::{end, place};

    /// In a calm world and in small pieces; a target that is well gets its own at once.
    #[test]
    fn each_way_comes_to_what_it_must() {
        for (number, row) in all().iter().enumerate() {
            for shape in [None, Some(Shape::calm())] {
                // Shown with a failure.
                println!("{} {shape:?}", row.name);
                let mut sim = setup::calm();
                sim.net.shape = shape;
                sim.oracle.calm = shape.is_some();
                let (bad, well) = (Behaviour::Hostile(number), Behaviour::Healthy);
                let (bad, well) = (sim.target(bad), sim.target(well));
                let orders = [
                    place(&mut sim, 0, bad, |_| ()),
                    place(&mut sim, 0, well, |_| ()),
                ];
                let later = place(&mut sim, SECOND, bad, |_| ());
                sim.run();
                let (first, _) = end(&sim, orders[0]);
                let (beside, _) = end(&sim, orders[1]);
                assert_eq!(beside, Outcome::Delivered, "{}", row.name);
                let wanted = match row.wanted {
                    Wanted::Delivers(_) => Outcome::Delivered,
                    _ => Outcome::Failed,
                };
                assert_eq!(first, wanted, "{}", row.name);
                assert_eq!(end(&sim, later).0, wanted, "{}", row.name);
            }
        }
    }
}
