//! Stories of pages and of who believes them.

use crate::behaviour::Behaviour;
use crate::pages::{self, Page};
use crate::setup;

/// The page has the browser post an order, whole, in chunks and after a 100; none is taken.
#[test]
fn a_foreign_page_has_no_effect() {
    for all in [false, true] {
        let mut settings = setup::settings();
        settings.browsers = pages::settings(all);
        let mut sim = setup::calm_with(settings);
        let target = sim.target(Behaviour::Healthy);
        for place in 0..20 {
            let order = sim.order(target).clone();
            sim.oracle.refused(order.number);
            let (taken, client) = Page::foreign().places(&mut sim.world.rng, &order, all);
            assert!(!taken);
            sim.client(place, client);
        }
        sim.run();
        assert_eq!(sim.targets[target].got.len(), 0);
    }
}

/// Every page at every door, on a calm network; some are let in.
#[test]
fn pages_are_let_in_by_the_rules_alone() {
    for all in [false, true] {
        let mut settings = setup::settings();
        settings.browsers = pages::settings(all);
        let mut sim = setup::calm_with(settings);
        let target = sim.target(Behaviour::Healthy);
        let mut let_in = 0;
        for place in 0..200 {
            let order = sim.order(target).clone();
            let page = Page::random(&mut sim.world.rng);
            let (taken, client) = page.places(&mut sim.world.rng, &order, all);
            if !taken {
                sim.oracle.refused(order.number);
            }
            let_in += usize::from(taken);
            sim.client(place * 1_000, client);
        }
        sim.run();
        assert!((40..160).contains(&let_in), "{let_in}");
        assert_eq!(sim.targets[target].got.len(), let_in);
    }
}
