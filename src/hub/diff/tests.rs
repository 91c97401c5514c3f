//! Tests of the diff: what is left out, and every doubt that leaves nothing out.

use super::*;

const ATOM: &str = "<feed xmlns='http://www.w3.org/2005/Atom'>";

fn atom(entries: &str) -> String {
    format!("<?xml version='1.0'?>\n{ATOM}<title>t</title>\n{entries}</feed>\n")
}

fn entry(id: &str, text: &str) -> String {
    format!("<entry><id>{id}</id><title>{text}</title></entry>\n")
}

/// What goes out of `new` to those who have `old`.
fn less(old: &str, new: &str) -> Option<String> {
    let (whole, seen) = diff(&Seen::default(), old.as_bytes());
    assert_eq!(whole, Diffed::Full);
    match diff(&seen, new.as_bytes()).0 {
        Diffed::Full => None,
        Diffed::Less(bytes) => Some(String::from_utf8(bytes).unwrap()),
    }
}

/// hub.md C27, checklist row 51.
#[test]
fn c27_entries_that_went_out_are_left_out_and_the_rest_keeps_its_bytes() {
    let (a, b, c) = (entry("a", "1"), entry("b", "1"), entry("c", "1"));
    let bare = |entry: &str| entry.trim_end().to_owned();
    let old = atom(&[&*a, &b].concat());
    let new = atom(&[&*c, &a, &b].concat());
    let want = new.replace(&bare(&a), "").replace(&bare(&b), "");
    assert_eq!(less(&old, &new), Some(want));
    // A changed entry stays (checklist row 46).
    let changed = atom(&[&*entry("a", "2"), &b].concat());
    assert_eq!(less(&old, &changed), Some(changed.replace(&bare(&b), "")));
    // So does a change of the feed's own, with no entry left.
    let titled = old.replace("<title>t<", "<title>u<");
    let want = titled.replace(&bare(&a), "").replace(&bare(&b), "");
    assert_eq!(less(&old, &titled), Some(want));
    // Nothing in common is no diff.
    assert_eq!(less(&old, &atom(&c)), None);
    assert_eq!(less(&old, &atom("")), None);
}

#[test]
fn c27_items_of_rss_go_by_their_guid() {
    let rss = |items: &str| {
        format!("<rss version=\"2.0\"><channel><title/>{items}<ttl>5</ttl></channel></rss>")
    };
    let item = |id: &str| {
        format!("<item><guid isPermaLink='false'>{id}</guid><b><![CDATA[</item>]]></b></item>")
    };
    let (a, b) = (item("a"), item("<![CDATA[b]]>&amp;&#x41;"));
    let got = less(&rss(&a), &rss(&[&*a, &b].concat()));
    assert_eq!(got, Some(rss(&b)));
    let got = less(&rss(&[&*a, &b].concat()), &rss(&[&*b, &a].concat()));
    assert_eq!(got, Some(rss("")));
}

#[test]
fn c27_prefixes_are_as_good_as_a_default() {
    let feed =
        |entries: &str| format!("<a:feed xmlns:a='http://www.w3.org/2005/Atom'>{entries}</a:feed>");
    let one = "<a:entry><x:id xmlns:x='http://www.w3.org/2005/Atom'>1</x:id><id>2</id></a:entry>";
    let two = "<a:entry><a:id> 2 </a:id></a:entry>";
    assert_eq!(
        less(&feed(one), &feed(&[two, one].concat())),
        Some(feed(two))
    );
}

/// The tags around an entry may change what it means: its base, its language, its prefixes.
#[test]
fn c27_other_tags_around_make_other_entries() {
    let old = atom(&entry("a", "1"));
    let new = old.replace("<feed ", "<feed xml:base='http://x.test/' ");
    assert_eq!(less(&old, &new), None);
}

#[test]
fn c27_any_doubt_is_a_full_feed_now_and_the_next_time() {
    let (a, b) = (entry("a", "1"), entry("b", "1"));
    let sound = atom(&[&*a, &b].concat());
    let many: String = (0..=ENTRIES_MAX)
        .map(|n| entry(&n.to_string(), ""))
        .collect();
    let deep = format!(
        "<entry><id>x</id>{}{}</entry>",
        "<d>".repeat(300),
        "</d>".repeat(300)
    );
    let with = |extra: &str| atom(&[&*a, extra].concat());
    let rows = [
        String::new(),
        "{}".to_owned(),
        "<html/>".to_owned(),
        with("<entry><title>no id</title></entry>"),
        with("<entry><id> </id></entry>"),
        with("<entry><id/></entry>"),
        with("<entry/>"),
        with("<entry><id>x</id><id>y</id></entry>"),
        with("<entry><id><b>x</b></id></entry>"),
        with("<entry><id xmlns=''>x</id></entry>"),
        with("<entry><id>x</id>&nope;</entry>"),
        with("<entry><id>x</id>a & b</entry>"),
        with("<entry><id>x</id><b c='1' c='2'/></entry>"),
        with("<entry><id>x</id><b c='<'/></entry>"),
        with("<entry><id>x</id><b></entry>"),
        with("<entry><id>x</id><n:b/></entry>"),
        with("<entry><id>x</id><!-- a -- b --></entry>"),
        with(&a),
        with(&many),
        with(&deep),
        format!("{sound}<feed/>"),
        format!("{sound}x"),
        format!("x{sound}"),
        sound.replace("</feed>", ""),
        sound.replace(ATOM, &format!("<!DOCTYPE feed>{ATOM}")),
        sound.replace(ATOM, "<feed>"),
        sound.replace(ATOM, "<feed xmlns='http://purl.org/atom/ns#'>"),
        "<rss><channel><item><guid>a</guid></item></channel><channel/></rss>".to_owned(),
        "<rss><channel><item><link>a</link></item></channel></rss>".to_owned(),
        "<rss><item><guid>a</guid></item></rss>".to_owned(),
    ];
    let (_, seen) = diff(&Seen::default(), sound.as_bytes());
    assert_eq!(seen.bytes(), 64);
    for body in rows {
        let (diffed, next) = diff(&seen, body.as_bytes());
        assert_eq!(
            (diffed, next),
            (Diffed::Full, Seen::default()),
            "{body:.200}"
        );
    }
    let latin = sound.replace("<title>t", "<title>\u{e9}").into_bytes();
    let latin: Vec<u8> = latin.into_iter().filter(|byte| *byte != 0xc3).collect();
    assert_eq!(diff(&seen, &latin), (Diffed::Full, Seen::default()));
}
