//! Which server a client talks to, as it is written after `--server`.
//! It resolves and connects nothing.

use std::path::PathBuf;

use url::Url;

/// A server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// How it is reached.
    pub(super) place: Place,
    /// What stands in the Host field.
    pub(super) authority: String,
    /// What stands before each path: empty, or a folder of a web server in front of it.
    pub(super) folder: String,
    /// As it was given, for people.
    pub(super) shown: String,
}

/// How a server is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A name or an address, and a port.
    Tcp {
        host: String,
        port: u16,
        secure: bool,
    },
    /// A socket's path.
    Unix(PathBuf),
}

impl Server {
    /// What names one, in words.
    pub const FORM: &str = "http://HOST[:PORT], https://HOST[:PORT] or unix:PATH";

    /// The server that `text` names.
    ///
    /// # Errors
    /// What is wrong with it, to stand behind the text.
    pub fn parse(text: &str) -> Result<Server, &'static str> {
        if let Some(path) = text.strip_prefix("unix:") {
            if path.is_empty() || path.contains('\0') {
                return Err("has no path");
            }
            return Ok(Server {
                place: Place::Unix(path.into()),
                authority: "localhost".to_owned(),
                folder: String::new(),
                shown: text.to_owned(),
            });
        }
        let url = Url::parse(text).map_err(|_| "is not a URL")?;
        let secure = match url.scheme() {
            "http" => false,
            "https" => true,
            _ => return Err("is neither http nor https"),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err("has a name or a password, which is no token");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("has a query");
        }
        let host = url.host_str().ok_or("has no host")?;
        let port = url.port_or_known_default().ok_or("has no port")?;
        let authority = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        Ok(Server {
            place: Place::Tcp {
                host: host.trim_matches(['[', ']']).to_owned(),
                port,
                secure,
            },
            authority,
            folder: url.path().trim_end_matches('/').to_owned(),
            shown: text.trim_end_matches('/').to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers() {
        let rows = [
            ("http://127.0.0.1:8080", Ok("127.0.0.1:8080 plain at 8080")),
            ("http://Hook.Test/", Ok("hook.test plain at 80")),
            ("https://hook.test", Ok("hook.test secure at 443")),
            ("https://[::1]:8443/h/", Ok("[::1]:8443/h secure at 8443")),
            ("unix:h.sock", Ok("localhost by h.sock")),
            ("unix:", Err("has no path")),
            ("hook.test:8080", Err("is neither http nor https")),
            ("127.0.0.1:8080", Err("is not a URL")),
            ("ftp://hook.test", Err("is neither http nor https")),
            (
                "http://a:b@hook.test",
                Err("has a name or a password, which is no token"),
            ),
            ("http://hook.test/?a", Err("has a query")),
            ("", Err("is not a URL")),
        ];
        for (text, expected) in rows {
            let found = Server::parse(text).map(|server| {
                let (authority, folder) = (&server.authority, &server.folder);
                match &server.place {
                    Place::Unix(path) => format!("{authority} by {}", path.display()),
                    Place::Tcp { port, secure, .. } => {
                        let how = if *secure { "secure" } else { "plain" };
                        format!("{authority}{folder} {how} at {port}")
                    }
                }
            });
            assert_eq!(found, expected.map(str::to_owned), "{text}");
        }
    }
}
