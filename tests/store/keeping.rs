//! Small facts by key: kept, replaced, forgotten; each kind for itself.
//! They are told when the store is opened again.

use hookah::model::record::{Restored, Table};
use hookah::port::StoreOp;

use crate::rig::Rig;
use crate::{each, text};

fn keep(table: Table, key: &[u8], value: Option<&[u8]>) -> StoreOp {
    StoreOp::Keep {
        table,
        key: key.into(),
        value: value.map(Into::into),
    }
}

fn kept(rig: &Rig) -> Vec<String> {
    let kept = rig
        .restored
        .iter()
        .filter(|it| matches!(it, Restored::Kept { .. }));
    text::restored(&kept.cloned().collect::<Vec<_>>())
}

#[test]
fn the_last_word_on_a_key_counts() {
    each(|rig| {
        rig.lasts([
            keep(Table::Subscriptions, b"a", Some(b"1")),
            keep(Table::Topics, b"a", Some(b"2")),
            keep(Table::Subscriptions, b"b", Some(b"3")),
            keep(Table::Subscriptions, b"a", Some(b"4")),
            keep(Table::Subscriptions, b"b", None),
            keep(Table::Subscriptions, b"\x00\xFF", Some(b"")),
            keep(Table::Topics, b"", Some(&[0, 255])),
        ]);
        rig.crash();
        let mut found = kept(rig);
        found.sort();
        let expected = [
            "subscriptions \\x00\\xff=",
            "subscriptions a=4",
            "topics =\\x00\\xff",
            "topics a=2",
        ];
        match rig.backend.lasts {
            true => assert_eq!(found, expected),
            false => assert_eq!(found, [""; 0]),
        }
        rig.lasts([
            keep(Table::Topics, b"a", None),
            keep(Table::Topics, b"a", None),
        ]);
        rig.restart();
        assert!(!kept(rig).contains(&"topics a=2".to_owned()));
    });
}

#[test]
fn thousands_of_them_come_in_pieces() {
    each(|rig| {
        for n in 0..3_000_u32 {
            let value = [7; 300];
            rig.hand(keep(Table::Subscriptions, &n.to_be_bytes(), Some(&value)));
        }
        rig.settle();
        rig.crash();
        let expected = if rig.backend.lasts { 3_000 } else { 0 };
        assert_eq!(kept(rig).len(), expected);
    });
}
