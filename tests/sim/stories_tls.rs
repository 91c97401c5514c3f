//! Stories of targets over TLS whose handshakes fail, as the engine sees it: the shell's word.
//! Real handshakes are other tests' business.

use hookah::model::Outcome;

use crate::behaviour::Behaviour;
use crate::setup;
use crate::stories::{end, is_about, place, times};
use crate::world::{MINUTE, SECOND};

/// When each attempt goes out after a first one that failed with that word, in a world where the
/// target is healthy after a second.
fn second_attempt(word: &'static str, steps: &[u64]) -> Vec<u64> {
    let mut sim = setup::calm();
    let target = sim.target(Behaviour::Insecure(word));
    sim.targets[target].phases = vec![(sim.world.at() + SECOND, Behaviour::Insecure(word))];
    let order = place(&mut sim, 0, target, |order| {
        order.schedule = Some(steps.to_vec());
    });
    sim.run();
    assert_eq!(end(&sim, order).0, Outcome::Delivered, "{word}");
    assert_eq!(sim.oracle.connects[&target], 2, "{word}");
    times(&sim, order)
}

#[test]
fn a_certificate_that_fails_is_not_tried_again_for_five_minutes() {
    for word in ["tls_cert_expired", "tls_cert_wrong_host"] {
        let waited = second_attempt(word, &[5 * SECOND]);
        assert!(is_about(waited[0], 5 * MINUTE), "{word}: {waited:?}");
    }
    let waited = second_attempt("tls_cert_expired", &[20 * MINUTE]);
    assert!(
        waited[0] >= 16 * MINUTE,
        "the schedule's wait is longer: {waited:?}"
    );
}

#[test]
fn another_failure_of_tls_is_tried_again_as_the_schedule_says() {
    for word in ["tls_not_tls", "tls_closed_in_handshake"] {
        let waited = second_attempt(word, &[5 * SECOND]);
        assert!(waited[0] <= 6 * SECOND + SECOND / 2, "{word}: {waited:?}");
    }
}

#[test]
fn lines_over_tls_are_kept_like_others() {
    let mut sim = setup::calm();
    let target = sim.target(Behaviour::Healthy);
    sim.targets[target].secure = true;
    for at in 0..20 {
        place(&mut sim, at * SECOND, target, |_| ());
    }
    sim.run();
    assert_eq!(sim.targets[target].got.len(), 20);
    let connects = sim.oracle.connects[&target];
    assert!(connects < 20, "{connects} connects for 20 webhooks");
}
