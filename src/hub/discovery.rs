//! What a fetched topic says of itself, as the hub keeps it: its own name, and whether it names us.
//! It reads nothing itself; `discover` does.

use super::Content;
use super::settings::Settings;
use super::topic::Advert;
use crate::http::response::ResponseHead;

/// What the topic at `url` says.
pub(super) fn advert(
    _settings: &Settings,
    _head: &ResponseHead<'_>,
    _content: &Content,
    _url: &str,
) -> Advert {
    Advert::default()
}
