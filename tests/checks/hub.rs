//! README's guide to the hub, pasted line after line: a subscriber, a publisher, a stream, an
//! operator. It knows of each line what is answered, and of the target what it prints.

use std::time::Duration;

use ring::hmac;

use crate::peer::{metric, until};
use crate::process::{needs, run};
use crate::readme::{Example, SERVER, TARGET, part, pasted, readme, started};
use crate::report::{Result, ensure};

/// The lines of the hub's guide: a subscriber, a publisher, a stream, and what the target prints.
pub fn guide() -> Result {
    needs("curl", "curl")?;
    let readme = readme()?;
    let lines = part(&readme, "hub curl")?;
    let mut target = Example::start()?;
    let server = started(part(&readme, "run")?)?;
    let addr = server.addr();
    let until_it_is = |name: &str, want: u64| {
        let what = format!("{name} is {want}");
        until(&what, Duration::from_secs(10), || {
            Ok(metric(addr, name)? == want)
        })
        .map(drop)
    };
    for (n, line) in lines.lines().enumerate() {
        let line = line
            .replace(SERVER, &addr.to_string())
            .replace(TARGET, &target.authority)
            // Without its progress, which it shows to nobody but us.
            .replacen("curl ", "curl -sS ", 1);
        let answer = run(&mut pasted(&line))?;
        // What a person sees before the next line is pasted.
        match n {
            0 => until_it_is("hookah_verifications_confirmed_total", 1)?,
            2 => until_it_is("hookah_notices_delivered_total", 1)?,
            6 => until_it_is("hookah_notices_delivered_total", 2)?,
            7 => until_it_is("hookah_subscriptions", 1)?,
            _ => {}
        }
        let want = HUB_ANSWERS.get(n).copied().unwrap_or("?");
        let is_it = answer.contains(want) && (!want.is_empty() || answer.is_empty());
        ensure(is_it, || format!("{line}\n{answer}"))?;
    }
    ensure(lines.lines().count() == HUB_ANSWERS.len(), || {
        "there is another number of lines".to_owned()
    })?;
    let shown = part(&readme, "hub prints")?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"hush");
    let tag = hmac::sign(&key, br#"{"edition":1}"#);
    let digits: Vec<String> = tag.as_ref().iter().map(|it| format!("{it:02x}")).collect();
    let sealed = format!("X-Hub-Signature: sha256={}", digits.concat());
    let denied = "GET /orders?hub.mode=denied&hub.topic=orders";
    target.prints(denied)?;
    let printed = target.stop();
    for word in ["order=1001", "POST /inbox?reader=1 ", &sealed, denied] {
        ensure(printed.contains(word), || {
            format!("{word:?} is not in\n{printed}")
        })?;
    }
    ensure(shown.contains(&sealed), || format!("{sealed} in README"))?;
    Ok(format!(
        "{} lines, two deliveries, one denial",
        HUB_ANSWERS.len()
    ))
}

/// What the lines of the hub's guide are answered with, or a part of it.
const HUB_ANSWERS: [&str; 8] = [
    "",
    "",
    "",
    r#""last_status":200"#,
    r#"{"edition":1}"#,
    "",
    "202 Scheduled",
    r#"{"denied":1}"#,
];
