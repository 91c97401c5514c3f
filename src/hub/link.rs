//! temp
//! temp
pub(super) fn field(hub: &str, own: &str) -> String {
    format!("<{hub}>; rel=\"hub\", <{own}>; rel=\"self\"")
}
