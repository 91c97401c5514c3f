//! Checks that need a network of their own: they run again in a namespace, as root.
//! It changes nothing outside of it.

use std::env;
use std::process::Command;

use crate::process::{needs, run};
use crate::report::{Result, Trouble};

/// Set where the network is a check's own.
const APART: &str = "CHECKS_APART";

/// Runs the check of that name in a network of its own, which `setup` (commands of a shell) makes
/// beside loopback.
pub fn apart(name: &str, setup: &str, check: fn() -> Result) -> Result {
    if env::var_os(APART).is_some() {
        return check();
    }
    needs("unshare", "util-linux")?;
    needs("ip", "iproute2")?;
    let may = Command::new("unshare").args(["-n", "true"]).output()?;
    if !may.status.success() {
        return Err(Trouble::skipped(
            "it takes root to have a network of one's own",
        ));
    }
    let script = format!("ip link set lo up && {setup} && exec \"$0\" \"$1\"");
    let mut command = Command::new("unshare");
    command.args(["-n", "sh", "-e", "-c", &script]);
    command.arg(env::current_exe()?).arg(name).env(APART, "1");
    let said = run(&mut command)?;
    let found = said.lines().find_map(|line| line.split_once(name));
    let found = found.map(|(_, found)| found.trim_start_matches(": ").to_owned());
    found.ok_or_else(|| Trouble::failed(said))
}
