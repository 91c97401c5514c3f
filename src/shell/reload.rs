//! SIGHUP: the files that may change while the server runs are read anew, each by itself.
//! What is no use is told and changes nothing; lines that are open stay as they are.

use super::turn::Server;

impl Server {
    /// Reads everything anew that may change. A further file is a further step here.
    pub(super) fn reload(&mut self) {
        let mut read = Vec::new();
        if let Some(identity) = &mut self.identity {
            match identity.reread() {
                Ok(()) => read.push("certificates"),
                Err(fault) => log::error!("reload_failed what=certificates why=\"{fault}\""),
            }
        }
        let what = match read.is_empty() {
            true => "nothing".to_owned(),
            false => read.join(","),
        };
        log::info!("reload_done signal=SIGHUP what={what}");
    }
}
