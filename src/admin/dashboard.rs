//! The page at `/` for browsers: one document with its style and its script in it, always the same.
//! What it shows its script asks for with whatever token its reader has; nothing of ours is in it.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};

/// The document. Comments and indentation are for whoever reads the source.
pub static PAGE: LazyLock<String> = LazyLock::new(|| {
    format!(
        "<!doctype html>\n<html lang=en>\n<meta charset=utf-8>\n<title>Hookah</title>\n\
         <style>{}</style>\n{}<footer>Hookah {}</footer>\n<script>{}</script>\n</html>\n",
        *STYLE,
        include_str!("dashboard/page.html"),
        env!("CARGO_PKG_VERSION"),
        *SCRIPT,
    )
});

static STYLE: LazyLock<String> = LazyLock::new(|| {
    let text = bare(include_str!("dashboard/page.css"));
    let spaces = [
        (": ", ":"),
        ("; ", ";"),
        (", ", ","),
        (" {", "{"),
        ("{ ", "{"),
        ("{\n", "{"),
        (";\n", ";"),
        (";}", "}"),
        ("} ", "}"),
        ("}\n", "}"),
        (" 0.", " ."),
        (":0.", ":."),
    ];
    let squeeze = |text: String, (from, to): (&str, &str)| text.replace(from, to);
    spaces.into_iter().fold(text, squeeze)
});

static SCRIPT: LazyLock<String> = LazyLock::new(|| bare(include_str!("dashboard/page.js")));

/// A text without the spaces that its lines begin with, and without lines that only comment.
fn bare(text: &str) -> String {
    let lines = text.lines().map(str::trim_start);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with("//"));
    lines.fold(String::new(), |text, line| text + line + "\n")
}

/// What a browser may do with the page: run this script and this style, talk to us, and nothing
/// else (Content Security Policy, level 3; Trusted Types).
static POLICY: LazyLock<String> = LazyLock::new(|| {
    format!(
        "default-src 'none'; script-src '{}'; style-src '{}'; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'self'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'",
        hash(&SCRIPT),
        hash(&STYLE)
    )
});

/// The page's entity tag.
static TAG: LazyLock<String> =
    LazyLock::new(|| format!("\"{}\"", STANDARD.encode(&sha256(&PAGE)[..12])));

static FIELDS: LazyLock<[(&str, &str); 8]> = LazyLock::new(|| {
    [
        ("Content-Security-Policy", &**POLICY),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "same-origin"),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
        ("Cache-Control", "no-cache"),
        ("ETag", tag()),
        ("Vary", "Accept"),
    ]
});

/// The fields that go with the page, and with the answer that it has not changed.
#[must_use]
pub fn fields() -> &'static [(&'static str, &'static str)] {
    &*FIELDS
}

/// The page's entity tag, in its quotes.
#[must_use]
pub fn tag() -> &'static str {
    &TAG
}

/// A source that allows what stands between the tags, to the byte.
fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(sha256(text)))
}

fn sha256(text: &str) -> Vec<u8> {
    digest(&SHA256, text.as_bytes()).as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What stands between that tag and its end; there is one of it.
    fn inside(tag: &str) -> &'static str {
        let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
        assert_eq!(PAGE.matches(&open).count(), 1, "{tag}");
        assert_eq!(PAGE.matches(&close).count(), 1, "{tag}");
        let (_, rest) = PAGE.split_once(&open).expect("its beginning");
        rest.split_once(&close).expect("its end").0
    }

    #[test]
    fn the_policy_allows_what_is_on_the_page_and_nothing_else() {
        for (tag, directive) in [("script", "script-src"), ("style", "style-src")] {
            let allowed = format!("; {directive} '{}'; ", hash(inside(tag)));
            assert!(POLICY.contains(&allowed), "{tag}: {}", *POLICY);
        }
        // The hash of nothing, as everybody has it.
        assert_eq!(
            hash(""),
            "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
        );
        assert!(
            !POLICY.contains("unsafe") && !POLICY.contains('*'),
            "{}",
            *POLICY
        );
    }

    #[test]
    fn the_page_is_small_asks_nobody_else_and_writes_no_html() {
        assert!(PAGE.len() <= 20 << 10, "{} bytes", PAGE.len());
        let lower = PAGE.to_ascii_lowercase();
        // Attributes that the policy would stop, other places, and ways to make text into elements.
        for word in [
            " style=",
            " onclick=",
            " onload=",
            " src=",
            "innerhtml",
            "outerhtml",
            "insertadjacent",
            "document.write",
            "eval(",
            "localstorage",
            "document.cookie",
        ] {
            assert!(!lower.contains(word), "{word}");
        }
        let own = lower.replace("http://www.w3.org/2000/svg", "");
        let urls: Vec<&str> = own
            .match_indices("://")
            .map(|(at, _)| &own[at - 5..])
            .collect();
        let shown = |url: &&str| !url.contains("://localhost:9000/");
        assert!(urls.iter().all(|url| !shown(url)), "{urls:?}");
    }
}
