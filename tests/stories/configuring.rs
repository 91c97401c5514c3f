//! The configuration file against the real binary: what it sets, what is said of a wrong one, what
//! `hookah config` prints, and what changes at SIGHUP while messages go on.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::folder::Folder;
use crate::server::{Server, hookah};
use crate::target::{ERROR, Target};
use crate::{FORM, ask, post};

const KEY: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";

/// A configuration file of its own.
struct Configured {
    folder: Folder,
    file: PathBuf,
}

impl Configured {
    fn new(text: &str) -> Configured {
        let folder = Folder::new();
        let file = folder.path().join("hookah.toml");
        let configured = Configured { folder, file };
        configured.says(text);
        configured
    }

    fn says(&self, text: &str) {
        fs::write(&self.file, text).expect("a file");
        let mode = fs::Permissions::from_mode(0o600);
        fs::set_permissions(&self.file, mode).expect("its mode");
    }

    fn path(&self) -> &str {
        self.file.to_str().expect("a path")
    }

    fn server(&self) -> Server {
        let mut command = hookah();
        command.current_dir(self.folder.path());
        command.args(["--config", self.path()]);
        Server::spawn(command)
    }

    /// Runs it with these words; the exit code, stdout and stderr.
    fn run(&self, words: &[&str]) -> (Option<i32>, String, String) {
        let mut command = hookah();
        command.args(words).args(["--config", self.path()]);
        let output = command.output().expect("it runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    }
}

#[test]
fn a_file_says_where_to_listen_and_what_to_sign_with() {
    let text =
        format!("listen = [\"127.0.0.1:0\"]\nstore = \"memory\"\n[sign]\nbilling = \"{KEY}\"\n");
    let server = Configured::new(&text).server();
    let target = Target::willing();
    let body = format!("_url={}&a=1", target.url("/"));
    let fields = format!("{FORM}Hookah-Sign: billing\r\n");
    assert_eq!(ask(&server, post("/dispatch", &fields, &body)).status, 202);
    assert!(
        target
            .arrival()
            .field("webhook-signature")
            .starts_with("v1,")
    );
    let fields = format!("{FORM}Hookah-Sign: other\r\n");
    assert_eq!(ask(&server, post("/dispatch", &fields, &body)).status, 400);
}

#[test]
fn a_wrong_file_stops_the_start_with_its_line() {
    let file = Configured::new("# ours\nretrys = 3\n");
    for words in [&[][..], &["config"], &["check"]] {
        let (code, out, said) = file.run(words);
        assert_eq!((code, out.as_str()), (Some(78), ""), "{said}");
        let expected = format!(
            "hookah: {}:2: \"retrys\" is not a key; did you mean retries?\n",
            file.path()
        );
        assert_eq!(said, expected);
    }
    file.says("timeout = \"soon\"\n");
    let (code, _, said) = file.run(&[]);
    assert_eq!(code, Some(78));
    assert!(
        said.contains(":1: timeout: \"soon\" is not a duration; allowed: "),
        "{said}"
    );
    fs::remove_file(&file.file).expect("the file");
    let (code, _, said) = file.run(&[]);
    assert_eq!(code, Some(78));
    assert!(
        said.contains(file.path()) && said.contains("cannot be read"),
        "{said}"
    );
}

#[test]
fn the_printed_configuration_is_a_file_that_prints_the_same() {
    let text =
        format!("retries = 3\n[sign]\nbilling = \"{KEY}\"\n[topic.\"a*\"]\nbacklog-age = 60\n");
    let file = Configured::new(&text);
    let (code, first, said) = file.run(&["config", "--timeout=7s"]);
    assert_eq!((code, said.as_str()), (Some(0), ""));
    assert!(
        first.contains(&format!("\nretries = 3  # file {}:1\n", file.path())),
        "{first}"
    );
    assert!(
        first.contains("\ntimeout = \"7s\"  # flag --timeout\n"),
        "{first}"
    );
    assert!(
        !first.contains(&KEY[6..]) && first.contains("# billing = "),
        "{first}"
    );
    let other = Configured::new(&first);
    let (code, second, said) = other.run(&["config"]);
    assert_eq!((code, said.as_str()), (Some(0), ""));
    let values = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines
            .filter_map(|it| Some(it.split_once("  # ")?.0.to_owned()))
            .collect()
    };
    assert!(values(&first).len() > 30, "{first}");
    assert_eq!(values(&second), values(&first));
}

#[test]
fn sighup_changes_what_it_can_and_says_what_it_cannot() {
    let usual = "listen = \"127.0.0.1:0\"\nstore = \"memory\"\nretry-schedule = \"0s\"\n\
                 retry-jitter = 0\n";
    let file = Configured::new(&format!("{usual}retries = 0\n[sign]\nold = \"{KEY}\"\n"));
    let mut server = file.server();
    let target = Target::new(|_| ERROR.into());
    let attempts = |server: &Server, expected: u32| {
        let body = format!("_url={}&a=1", target.url("/"));
        assert_eq!(ask(server, post("/dispatch", FORM, body)).status, 202);
        for number in 1..=expected {
            assert_eq!(target.arrival().field("Hookah-Attempt"), number.to_string());
        }
        crate::settled(server);
        target.has_no_more();
    };
    attempts(&server, 1);
    let secret = "another-secret-of-ours";
    let text = format!(
        "{usual}retries = 2\nkeep-age = \"2d\"\nlog = \"debug\"\n[sign]\nold = \"{secret}\"\n"
    );
    file.says(&text);
    server.signal("HUP");
    for part in [
        "config_changed key=\"retries\" from=\"0\" to=\"2\"",
        "config_needs_restart key=\"keep-age\" from=\"7d\" to=\"2d\"",
        "config_changed key=\"log\" from=\"info\" to=\"debug\"",
        "config_changed key=\"sign.old\" from=\"set\" to=\"another\"",
        "reload_done signal=SIGHUP what=config",
    ] {
        let line = server.line_with(part);
        assert!(
            !line.contains(secret) && !line.contains(&KEY[6..]),
            "{line}"
        );
    }
    attempts(&server, 3);
    file.says("retries = 5\nretrys = 5\n");
    server.signal("HUP");
    let line = server.line_with("reload_failed what=config");
    assert!(
        line.contains(":2: ") && line.contains("did you mean retries?"),
        "{line}"
    );
    server.line_with("reload_done signal=SIGHUP what=nothing");
    attempts(&server, 3);
    server.signal("TERM");
    let (status, said) = server.wait();
    assert!(status.success() && !said.contains(secret), "{said}");
}

#[test]
fn a_file_with_secrets_that_others_can_read_is_told() {
    let text = format!("listen = \"127.0.0.1:0\"\nstore = \"memory\"\n[sign]\na = \"{KEY}\"\n");
    let file = Configured::new(&text);
    let mode = fs::Permissions::from_mode(0o644);
    fs::set_permissions(&file.file, mode).expect("its mode");
    let server = file.server();
    server.signal("TERM");
    let (_, said) = server.wait();
    let mut lines = said
        .lines()
        .filter(|line| line.contains("config_file_open"));
    let line = lines.next().expect("a line");
    assert!(line.contains("mode=644 advice=\"chmod 600\""), "{line}");
}

#[test]
fn readmes_example_is_a_file_that_starts() {
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let readme = fs::read_to_string(readme).expect("README.md");
    let (_, section) = readme.split_once("### A file").expect("its section");
    let (_, example) = section.split_once("```toml\n").expect("an example");
    let (example, _) = example.split_once("```").expect("its end");
    let (code, printed, said) = Configured::new(example).run(&["config"]);
    assert_eq!((code, said.as_str()), (Some(0), ""));
    assert!(printed.contains("hookah.toml:"), "{printed}");
}

#[test]
fn the_whole_reference_is_printed() {
    let (code, text, _) = Configured::new("").run(&["--help-all"]);
    assert_eq!(code, Some(0));
    for part in [
        "--retry-schedule WAITS",
        "SIGHUP",
        "POST",
        "/dispatch",
        "EXIT CODES",
        "HOOKAH_SIGN_",
    ] {
        assert!(text.contains(part), "{part}");
    }
    let (code, roff, _) = Configured::new("").run(&["--man"]);
    assert!(
        code == Some(0) && roff.starts_with(".TH HOOKAH 1"),
        "{roff}"
    );
}
