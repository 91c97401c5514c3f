//! What a fetched topic says of itself, as the hub keeps it: its own name, and whether it names us.
//! It reads no document; `discover` does.

use super::settings::Settings;
use super::topic::Advert;
use super::{discover, name};

/// What the topic says whose answer `head` and `body` came from `url`. A hub that it names is ours
/// if it stands under our public URL; where we do not know that, any may be (hub.md C33).
pub(super) fn advert(settings: &Settings, head: &[u8], body: &[u8], url: &str) -> Advert {
    let found = discover::discover(head, body, url);
    let mut hubs = found.hubs.into_iter();
    Advert {
        canonical: found.own,
        hub: match &settings.public_url {
            Some(own) => hubs.find(|hub| is_under(hub, own)),
            None => hubs.next(),
        },
    }
}

/// Whether `url` is `root`, or a path of it, in any spelling.
fn is_under(url: &str, root: &str) -> bool {
    let (url, root) = (name::key(url.as_bytes()), name::key(root.as_bytes()));
    let root = root.strip_suffix(b"/").unwrap_or(&root);
    url.strip_prefix(root)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn point_19_a_hub_is_ours_if_it_is_under_our_url() {
        let rows = [
            ("https://e.test/hub", "https://e.test", true),
            ("HTTPS://E.test:443/hub", "https://e.test", true),
            ("https://e.test", "https://e.test", true),
            ("https://e.test/a/hub", "https://e.test/a", true),
            ("https://e.test/ab", "https://e.test/a", false),
            ("https://e.test.evil/hub", "https://e.test", false),
            ("http://e.test/hub", "https://e.test", false),
        ];
        for (url, root, want) in rows {
            assert_eq!(is_under(url, root), want, "{url} {root}");
        }
    }
}
