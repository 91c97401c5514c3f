//! The configuration changes while everything goes on: at random what topics keep, and stories of
//! the rest. The oracle is told the new values; what was taken in before goes by what holds for it.

use std::time::Duration;

use hookah::courier::guard::Preset;
use hookah::dispatch::retry::Schedule;
use hookah::model::Outcome;
use hookah::topics;
use hookah::topics::keep::{Rule, Rules as Keeping};

use crate::behaviour::Behaviour;
use crate::crowd::TOPICS;
use crate::rng::Rng;
use crate::rules::Rules;
use crate::setup;
use crate::sim::Sim;
use crate::stories::{end, is_about, place, times};
use crate::stories_guard::refused;
use crate::world::{Event, MINUTE, SECOND};

/// What topics keep; now and then next to nothing.
pub fn keep(chance: &mut Rng, settings: &mut topics::Settings) {
    settings.backlog_messages = chance.pick(&[100, 100, 3, 10]);
    settings.backlog_bytes = chance.pick(&[1 << 20, 1 << 20, 100_000, 1_000]);
    settings.backlog_age = Duration::from_secs(chance.pick(&[3_600, 3_600, 20, 60]));
}

/// When the operator changes the configuration, in every other world that keeps its topics in one
/// process.
pub fn random(sim: &mut Sim) {
    if sim.world.rng.chance(50) {
        return;
    }
    for _ in 0..sim.world.rng.between(1, 4) {
        let at = sim.world.rng.between(0, 2 * MINUTE);
        sim.world.after(at, Event::Retune);
    }
}

/// Rules for some topics, by names and by beginnings.
fn rules(chance: &mut Rng) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    for _ in 0..chance.pick(&[0, 1, 3, 6]) {
        let topic = chance.pick(&TOPICS);
        let length = chance.between(0, topic.chars().count() as u64) as usize;
        let name = match chance.chance(50) {
            true => topic.to_owned(),
            false => topic.chars().take(length).chain(['*']).collect(),
        };
        let name: Box<[u8]> = name.into_bytes().into();
        rules.retain(|rule| rule.name != name);
        let age = chance.pick(&[None, Some(5), Some(40), Some(3_600)]);
        rules.push(Rule {
            name,
            messages: chance.pick(&[None, Some(0), Some(2), Some(50)]),
            age: age.map(Duration::from_secs),
            bytes: chance.pick(&[None, Some(500), Some(1 << 20)]),
        });
    }
    rules
}

impl Sim {
    /// Topics keep something else from now on.
    pub fn retune_at_random(&mut self) {
        let chance = &mut self.world.rng;
        keep(chance, &mut self.settings.topics);
        let rules = rules(chance);
        self.settings.topics.rules = Keeping::new(rules.clone());
        self.world.note("retune", 0, rules.len() as u64);
        let at = self.world.at();
        self.oracle.feeds.keeping(at, &self.settings.topics, &rules);
        self.retune();
    }

    /// The engine is told what the settings are now.
    pub fn retune(&mut self) {
        if !self.is_down {
            self.engine.retune(self.world.told(), &self.settings);
        }
    }
}

#[test]
fn retries_are_those_of_the_acceptance_and_waits_those_of_now() {
    let mut settings = setup::settings();
    settings.dispatch.retries = 2;
    settings.dispatch.schedule = Schedule::parse("20s").expect("a schedule");
    settings.dispatch.jitter_percent = 0;
    let mut sim = setup::calm_with(settings);
    let target = sim.target(Behaviour::Fails(99, 500));
    let before = place(&mut sim, 0, target, |order| {
        order.retries_default = 2;
        // The first wait began before the change, the second after it.
        order.schedule_default = vec![20 * SECOND, 50 * SECOND];
    });
    let after = place(&mut sim, 15 * SECOND, target, |order| {
        order.retries_default = 1;
        order.schedule_default = vec![50 * SECOND];
    });
    sim.run_for(10 * SECOND);
    sim.settings.dispatch.retries = 1;
    sim.settings.dispatch.schedule = Schedule::parse("50s").expect("a schedule");
    sim.retune();
    sim.run();
    let about = |got: Vec<u64>, expected: &[u64]| {
        assert_eq!(got.len(), expected.len(), "{got:?}");
        let mut pairs = got.iter().zip(expected);
        assert!(pairs.all(|(got, it)| is_about(*got, *it)), "{got:?}");
    };
    about(times(&sim, before), &[0, 20 * SECOND, 70 * SECOND]);
    about(times(&sim, after), &[0, 50 * SECOND]);
    assert_eq!(end(&sim, after).0, Outcome::Failed);
}

#[test]
fn a_target_that_is_not_open_any_more_is_not_called() {
    let mut sim = setup::calm();
    let target = sim.target(Behaviour::Healthy);
    let order = place(&mut sim, 0, target, |_| ());
    sim.run_for(2 * SECOND);
    assert_eq!(end(&sim, order).0, Outcome::Delivered);
    // The network refuses to carry what the new rules should have stopped.
    sim.settings.courier.policy.preset = Preset::Public;
    sim.rules = Rules::of(&sim.settings.courier.policy);
    sim.retune();
    let said = refused(&mut sim, target, |_| ());
    assert!(said.contains("is forbidden (private)"), "{said}");
    assert_eq!(sim.targets[target].got.len(), 1);
}

#[test]
fn seeds_reach_what_changes() {
    let mut retuned = 0;
    for seed in 0..32 {
        let mut sim = setup::random(seed);
        sim.run();
        retuned += sim.oracle.feeds.editions().saturating_sub(1);
    }
    assert!(retuned > 20, "{retuned} changes");
}
