//! Tests of the cache of targets: it shares what it has, and stays bounded.

use super::*;

#[test]
fn the_cache_shares_and_stays_bounded() {
    let mut targets = Targets::new(7);
    let text = |number: usize| format!("http://127.0.0.1/{number}");
    let first = targets.get(&text(0)).unwrap();
    assert!(Arc::ptr_eq(&first, &targets.get(&text(0)).unwrap()));
    for number in 1..TARGETS_CACHED_MAX {
        targets.get(&text(number)).unwrap();
    }
    assert!(Arc::ptr_eq(&first, &targets.get(&text(0)).unwrap()));
    let second = targets.get(&text(1)).unwrap();
    targets.get(&text(TARGETS_CACHED_MAX)).unwrap();
    assert!(Arc::ptr_eq(&second, &targets.get(&text(1)).unwrap()));
    let again = targets.get(&text(0)).unwrap();
    assert!(!Arc::ptr_eq(&first, &again) && first.url == again.url);
    for number in 0..3 * TARGETS_CACHED_MAX {
        targets.get(&text(number)).unwrap();
    }
    assert_eq!(targets.by_text.len(), TARGETS_CACHED_MAX);
    assert_eq!(targets.texts.len(), TARGETS_CACHED_MAX);
}

#[test]
fn what_is_refused_or_long_is_not_kept() {
    let mut targets = Targets::new(7);
    assert!(targets.get("http://a..example/").is_err());
    let long = format!("http://127.0.0.1/{}", "x".repeat(URL_CACHED_BYTES_MAX));
    assert!(targets.get(&long).is_ok());
    assert!(targets.by_text.is_empty());
}
