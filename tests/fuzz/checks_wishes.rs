//! What must hold for whatever a client of /stream asks: a refusal is one line that shows no token,
//! and what is granted stays within the bounds and can be asked for again. Nothing here invents
//! input.

use hookah::base::time::Wall;
use hookah::http::form;
use hookah::topics::Settings;
use hookah::topics::filter::WANTS_MAX;
use hookah::topics::subscribe::{self, Asked, PREFIXES_MAX, TOPIC_BYTES_MAX, TOPICS_MAX};
use hookah::topics::wish::{Cursor, Mode, Wish};

/// Lines of the input: query, form, Accept, Last-Event-ID, If-None-Match. An empty one is none.
pub fn wish(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n');
    let query = String::from_utf8_lossy(lines.next().unwrap_or_default());
    let mut field = || lines.next().filter(|line| !line.is_empty());
    let settings = Settings::default();
    let asked = Asked {
        query: &query,
        form_body: field(),
        http11: data.len().is_multiple_of(2),
        accept: field(),
        last_event_id: field(),
        if_none_match: field(),
        settings: &settings,
        now: Wall(1_767_323_045_000_000),
    };
    match subscribe::read(&asked) {
        Ok(wish) => granted(&asked, &wish),
        Err(problem) => {
            let detail = &*problem.detail;
            assert!(
                !detail.is_empty() && !detail.chars().any(char::is_control),
                "{detail:?}"
            );
            assert!(detail.len() <= 2_048, "{} bytes", detail.len());
            assert!(!problem.reason.closes(), "{detail}");
        }
    }
}

fn granted(asked: &Asked<'_>, wish: &Wish) {
    let selection = &wish.selection;
    let (topics, prefixes) = (&selection.topics, &selection.prefixes);
    assert!(topics.len() <= TOPICS_MAX && prefixes.len() <= PREFIXES_MAX);
    assert!(topics.len() + prefixes.len() > 0, "nothing is selected");
    for name in topics.iter().chain(prefixes) {
        assert!(name.len() <= TOPIC_BYTES_MAX);
    }
    let wants = selection
        .filter
        .as_ref()
        .map_or(0, |filter| filter.wants().len());
    assert!(wants <= WANTS_MAX);
    if let Cursor::Last(count) = wish.cursor {
        assert!((1..=asked.settings.backlog_messages).contains(&(count as usize)));
    }
    if let Mode::Wait(span) = wish.mode {
        assert!((1..=60).contains(&span.as_secs()));
    }
    // What was read decides alone: the names that were understood, and the rest as it was.
    let again = form::fields(asked.query.as_bytes())
        .filter(|field| !field.is_empty() && !form::is_encoded(field.name))
        .filter(|field| {
            subscribe::TABLE
                .iter()
                .any(|row| field.name == row.name.as_bytes())
        });
    let known = again.map(|field| String::from_utf8_lossy(field.raw).into_owned());
    let query = known.collect::<Vec<_>>().join("&");
    let encoded = form::fields(asked.query.as_bytes())
        .any(|field| form::is_encoded(field.name) || field.name.starts_with(b"where."));
    if !encoded {
        let asked = Asked {
            query: &query,
            ..*asked
        };
        assert_eq!(
            subscribe::read(&asked).as_ref(),
            Ok(wish),
            "unknown parameters changed it"
        );
    }
}
