//! SIGHUP: the files that may change while the server runs are read anew, each by itself.
//! What is no use is told and changes nothing; lines that are open stay as they are.

use super::tokens;
use super::turn::Server;

impl Server {
    /// Reads everything anew that may change. A further file is a further step here.
    pub(super) fn reload(&mut self) {
        self.notify.reloading();
        let mut read = Vec::new();
        if self.reread_configuration() {
            read.push("config");
        }
        if let Some(identity) = &mut self.identity {
            match identity.reread() {
                Ok(()) => read.push("certificates"),
                Err(fault) => log::error!(
                    "reload_failed what=certificates why={:?}",
                    fault.to_string()
                ),
            }
        }
        if self.reread_tokens() {
            read.push("tokens");
        }
        let what = match read.is_empty() {
            true => "nothing".to_owned(),
            false => read.join(","),
        };
        log::info!("reload_done signal=SIGHUP what={what}");
        self.notify.reloaded();
    }

    /// Goes by what the file of tokens says now, if there is one; false if nothing has changed.
    fn reread_tokens(&mut self) -> bool {
        let Some(path) = self.tokens.as_deref() else {
            return false;
        };
        tokens::warn_if_open(path);
        match tokens::read(path) {
            Ok(roll) => {
                let now = self.now;
                self.guard
                    .tell(now, None, |engine| engine.enrol(now, &roll));
                true
            }
            Err(why) => {
                log::error!("reload_failed what=tokens path={path:?} why={why:?}");
                false
            }
        }
    }
}
