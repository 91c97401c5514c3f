//! The wheel against an ordered map, and at the edges of its levels.
//! Nothing here waits: time is a number.

use std::collections::BTreeMap;

use super::*;
use crate::base::rng::Rng;

/// Milliseconds as a time.
fn ms(count: u64) -> Mono {
    Mono(count * TICK_MICROS)
}

fn fired(wheel: &mut Wheel<u64>, now: Mono) -> Vec<u64> {
    let owners = std::iter::from_fn(|| wheel.pop(now)).collect();
    wheel.check();
    owners
}

#[test]
fn fires_at_the_tick_after_its_time_and_never_before() {
    for (at, first) in [
        (1, 1),
        (999, 1),
        (1_000, 1),
        (1_001, 2),
        (64_000, 64),
        (64_001, 65),
    ] {
        let mut wheel = Wheel::with_bound(1, Mono(0));
        wheel.arm(Mono(at), 7).unwrap();
        assert_eq!(wheel.pop(Mono(first * TICK_MICROS - 1)), None, "{at}");
        assert_eq!(wheel.pop(Mono(first * TICK_MICROS)), Some(7), "{at}");
        assert_eq!(wheel.pop(Mono::NEVER), None);
    }
}

#[test]
fn every_level_fires_at_its_edges() {
    for level in 0..8 {
        let edge = 1_u64 << (DIGIT_BITS * level);
        for start in [0, edge - 1, edge, 63 * edge, 5 * edge + 17] {
            let spans = [1, 2, 63, 64, 65, 127].map(|slots| slots * edge);
            for span in spans
                .into_iter()
                .flat_map(|span| [span, span + 1, span + edge - 1])
            {
                let mut wheel = Wheel::with_bound(1, ms(start));
                wheel.arm(ms(start + span), 1).unwrap();
                wheel.check();
                assert_eq!(fired(&mut wheel, ms(start + span - 1)), [0; 0]);
                assert_eq!(fired(&mut wheel, ms(start + span)), [1]);
            }
        }
    }
}

#[test]
fn following_the_wakes_reaches_the_entry_exactly_and_in_few_steps() {
    for tick in [
        1,
        63,
        64,
        65,
        4_095,
        4_096,
        4_097,
        1 << 24,
        (1 << 36) + 12_345,
    ] {
        let mut wheel = Wheel::with_bound(1, Mono(0));
        wheel.arm(ms(tick), 1).unwrap();
        let mut wakes = 0;
        loop {
            let wake = wheel.next_wake().unwrap();
            assert!(wake <= ms(tick));
            wakes += 1;
            if wheel.pop(wake).is_some() {
                assert_eq!(wake, ms(tick));
                break;
            }
            assert!(wheel.next_wake() > Some(wake), "no progress at {wake:?}");
        }
        assert!(wakes <= LEVELS, "{wakes} wakes for {tick}");
        assert_eq!(wheel.next_wake(), None);
    }
}

#[test]
fn order_is_by_tick_and_then_by_arming() {
    let mut wheel = Wheel::with_bound(10, Mono(0));
    for (owner, tick) in [(1, 5_000), (2, 70), (3, 5_000), (4, 3), (5, 70)] {
        wheel.arm(ms(tick), owner).unwrap();
    }
    assert_eq!(fired(&mut wheel, ms(69)), [4]);
    // The wheel stands nearer now, and still the later comer of a tick comes later.
    wheel.arm(ms(70), 6).unwrap();
    assert_eq!(fired(&mut wheel, ms(4_500)), [2, 5, 6]);
    wheel.arm(ms(5_000), 7).unwrap();
    assert_eq!(fired(&mut wheel, ms(1 << 40)), [1, 3, 7]);
}

#[test]
fn what_is_armed_for_the_past_or_for_now_fires_in_the_same_loop() {
    let mut wheel = Wheel::with_bound(4, ms(100));
    wheel.arm(ms(3), 1).unwrap();
    assert!(wheel.next_wake() <= Some(ms(100)));
    assert_eq!(wheel.pop(ms(100)), Some(1));
    wheel.arm(ms(100), 2).unwrap();
    wheel.arm(Mono(0), 3).unwrap();
    wheel.check();
    assert_eq!(fired(&mut wheel, ms(100)), [2, 3]);
}

#[test]
fn stale_ids_do_nothing() {
    let mut wheel = Wheel::with_bound(2, Mono(0));
    let gone = wheel.arm(ms(5), 1).unwrap();
    assert_eq!(wheel.pop(ms(5)), Some(1));
    let kept = wheel.arm(ms(9), 2).unwrap();
    assert_eq!(gone.index(), kept.index());
    assert_eq!(wheel.cancel(gone), None);
    assert!(!wheel.rearm(gone, ms(50)));
    assert_eq!(wheel.cancel(kept), Some(2));
    assert_eq!((wheel.cancel(kept), wheel.len()), (None, 0));
    wheel.check();
}

#[test]
fn the_bound_holds_and_a_place_comes_free() {
    let mut wheel = Wheel::with_bound(2, Mono(0));
    let first = wheel.arm(ms(1), 1).unwrap();
    wheel.arm(ms(2), 2).unwrap();
    assert_eq!(wheel.arm(ms(3), 3), None);
    wheel.cancel(first);
    assert!(wheel.arm(ms(3), 3).is_some());
    assert_eq!(fired(&mut wheel, ms(9)), [2, 3]);
}

#[test]
fn never_is_never_and_wakes_nobody() {
    let mut wheel = Wheel::with_bound(2, Mono(0));
    wheel.arm(Mono::NEVER, 1).unwrap();
    let last = Mono(u64::MAX / TICK_MICROS * TICK_MICROS);
    wheel.arm(last, 2).unwrap();
    assert_eq!(wheel.pop(Mono(last.0 - 1)), None);
    wheel.check();
    assert_eq!(fired(&mut wheel, Mono::NEVER), [2]);
    assert_eq!((wheel.next_wake(), wheel.len()), (None, 1));
}

#[test]
fn a_clock_that_stands_still_or_goes_back_does_no_harm() {
    let mut wheel = Wheel::with_bound(2, ms(1_000));
    wheel.arm(ms(1_010), 1).unwrap();
    assert_eq!(fired(&mut wheel, ms(1_005)), [0; 0]);
    assert_eq!(fired(&mut wheel, ms(1)), [0; 0]);
    assert_eq!(fired(&mut wheel, ms(1_010)), [1]);
}

/// What the wheel must do, written down in the plainest way.
struct Model {
    /// By tick and order of arming.
    due: BTreeMap<(u64, u64), u64>,
    armed: BTreeMap<u64, (Key, (u64, u64))>,
    order: u64,
    elapsed: u64,
}

impl Model {
    fn place(&mut self, at: Mono) -> (u64, u64) {
        self.order += 1;
        (at.0.div_ceil(TICK_MICROS).max(self.elapsed), self.order)
    }

    fn arm(&mut self, id: Key, at: Mono, owner: u64) {
        let place = self.place(at);
        self.due.insert(place, owner);
        self.armed.insert(owner, (id, place));
    }

    fn rearm(&mut self, owner: u64, at: Mono) {
        let place = self.place(at);
        if let Some((_, known)) = self.armed.get_mut(&owner)
            && known.0 != place.0
        {
            self.due.remove(known);
            *known = place;
            self.due.insert(place, owner);
        }
    }

    fn cancel(&mut self, owner: u64) {
        if let Some((_, place)) = self.armed.remove(&owner) {
            self.due.remove(&place);
        }
    }

    fn pop(&mut self, now: Mono) -> Option<u64> {
        let now = now.0 / TICK_MICROS;
        match self.due.first_key_value() {
            Some((&(tick, order), &owner)) if tick <= now => {
                self.elapsed = tick;
                self.due.remove(&(tick, order));
                self.armed.remove(&owner);
                Some(owner)
            }
            _ => {
                self.elapsed = self.elapsed.max(now);
                None
            }
        }
    }

    /// An owner that is armed, if there is any.
    fn any(&self, rng: &mut Rng) -> Option<(u64, Key)> {
        let skip = rng.below(self.armed.len() as u64) as usize;
        let (owner, (id, _)) = self.armed.iter().nth(skip)?;
        Some((*owner, *id))
    }
}

/// A span in microseconds whose length is as likely small as huge.
fn span(rng: &mut Rng, bits_max: u64) -> u64 {
    let bits = rng.below(bits_max);
    rng.below(1 << bits)
}

fn random_steps(seed: u8, steps: u64, bound: usize, bits_max: u64) {
    let mut rng = Rng::new([seed; 32]);
    let mut now = Mono(span(&mut rng, 44));
    let mut wheel = Wheel::with_bound(bound, now);
    let mut model = Model {
        due: BTreeMap::new(),
        armed: BTreeMap::new(),
        order: 0,
        elapsed: now.0 / TICK_MICROS,
    };
    let mut count = 0;
    for step in 0..steps {
        let at = Mono((now.0 + span(&mut rng, bits_max)).saturating_sub(span(&mut rng, 20)));
        match rng.below(10) {
            0..4 => match wheel.arm(at, step) {
                Some(id) => model.arm(id, at, step),
                None => assert_eq!(model.armed.len(), bound),
            },
            4 | 5 => {
                if let Some((owner, id)) = model.any(&mut rng) {
                    assert!(wheel.rearm(id, at));
                    model.rearm(owner, at);
                }
            }
            6 => {
                if let Some((owner, id)) = model.any(&mut rng) {
                    assert_eq!(wheel.cancel(id), Some(owner));
                    model.cancel(owner);
                }
            }
            kind => {
                now = match (kind, wheel.next_wake()) {
                    (7, Some(wake)) => wake.max(now),
                    _ => Mono(now.0 + span(&mut rng, bits_max)),
                };
                // Sometimes the caller stops before everything due has fired.
                for _ in 0..=rng.below(100) {
                    let owner = model.pop(now);
                    assert_eq!(wheel.pop(now), owner, "step {step} of seed {seed}");
                    count += u64::from(owner.is_some());
                }
            }
        }
        assert_eq!(wheel.len(), model.armed.len());
        let earliest = model.due.first_key_value().map(|((tick, _), _)| ms(*tick));
        assert_eq!(wheel.next_wake().is_some(), earliest.is_some());
        assert!(wheel.next_wake() <= earliest, "step {step} of seed {seed}");
        if step % 64 == 0 {
            wheel.check();
        }
    }
    assert!(count > steps / 50, "seed {seed}: only {count} fired");
    let rest = model.due.into_values().collect::<Vec<_>>();
    assert_eq!(fired(&mut wheel, Mono(1 << 62)), rest);
}

#[test]
fn agrees_with_an_ordered_map_under_random_steps() {
    // Spans up to a millisecond, a second, a minute, a day and 35 years.
    for (seed, bits_max) in [(1, 10), (2, 20), (3, 26), (4, 37), (5, 50)] {
        random_steps(seed, 30_000, 200, bits_max);
    }
    random_steps(6, 20_000, 3, 34);
}
