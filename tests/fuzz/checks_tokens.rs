//! What must hold for whatever stands in a file of tokens: a refusal names its line and shows no
//! word that may be a secret, and what is taken is within the bounds and says the same again.
//! Nothing here invents input.

use hookah::access::Roll;
use hookah::access::roll::{GLOBS_MAX, NAME_BYTES_MAX, TOKENS_MAX, words};

/// Words of the input that are longer may be a hash or a secret.
const PLAIN_BYTES_MAX: usize = 12;

/// The input is the file, if it is text at all.
pub fn tokens_file(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    match Roll::parse(text) {
        Ok(roll) => taken(text, &roll),
        Err(why) => refused(text, &why),
    }
}

fn taken(text: &str, roll: &Roll) {
    assert!(roll.len() <= TOKENS_MAX && roll.len() <= text.lines().count());
    assert_eq!(roll.is_empty(), roll.tokens().is_empty());
    for token in roll.tokens() {
        assert!((1..=NAME_BYTES_MAX).contains(&token.name.len()));
        let rights = &token.rights;
        assert!(rights.publish.len().max(rights.subscribe.len()) <= GLOBS_MAX);
    }
    // Neither other line ends nor what says nothing makes a difference.
    let spread = format!("# a comment\n\n{}\r\n", text.trim_start_matches('\u{feff}'));
    let again = Roll::parse(&spread.replace("\r\n", "\n").replace('\n', "\r\n"));
    assert_eq!(again.expect("the same").tokens(), roll.tokens());
}

fn refused(text: &str, why: &str) {
    let (line, what) = why.split_once(": ").expect("a line and what is wrong");
    let number = line.strip_prefix("line ").expect("a line");
    let number: usize = number.parse().expect("its number");
    assert!((1..=text.lines().count()).contains(&number), "{why}");
    assert!(what.contains("allowed: ") && !what.contains('\n'), "{why}");
    let ours = words();
    for word in text.split_ascii_whitespace() {
        let known = ours.contains(word) || !word.is_ascii() || why_says(word);
        assert!(
            word.len() <= PLAIN_BYTES_MAX || known || !why.contains(word),
            "{why} shows {word}"
        );
    }
}

/// Words of our own texts, which an input may hold as well.
fn why_says(word: &str) -> bool {
    const TEXTS: &str = "NAME sha256:HASH RIGHTS, the hash in 64 hexadecimal digits N/TIME with N \
                         from 1 to 1000000 and TIME from 100ms to 31d, such as allowed: \
                         targets=public one space between them";
    TEXTS.contains(word)
}
