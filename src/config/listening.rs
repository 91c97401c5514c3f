//! The knobs of where to listen and who may come in, a part of the one table.
//! It never knows where a value came from.

use super::form::Form;
use super::knob::{Group, Knob, Reload};
use super::listen::{self, LISTEN_FORM};

/// Those of listening and of TLS, in the order of `--help`.
pub(super) static KNOBS: [Knob; 7] = [
    Knob {
        key: "listen",
        group: Group::Listening,
        value: "WHERE",
        default: "127.0.0.1:8080",
        help: "ADDR:PORT or unix:PATH; may be repeated",
        reload: Reload::Restart,
        form: Form::List {
            complaint: "is not an address to listen on",
            allowed: LISTEN_FORM,
            add: |config, text| {
                listen::address(text)
                    .map(|addr| config.shell.listen.push(addr))
                    .is_some()
            },
        },
    },
    Knob {
        key: "port",
        group: Group::Listening,
        value: "N",
        default: "",
        help: "short for --listen 127.0.0.1:N",
        reload: Reload::Restart,
        form: Form::Count {
            min: 0,
            max: 65_535,
            set: |config, port| config.shell.listen.extend(listen::local(port)),
        },
    },
    Knob {
        key: "tokens",
        group: Group::Listening,
        value: "FILE",
        default: "",
        help: "who may do what; read again at SIGHUP",
        reload: Reload::Restart,
        form: Form::Path {
            set: |config, path| config.shell.tokens = Some(path),
        },
    },
    Knob {
        key: "insecure-no-auth",
        group: Group::Listening,
        value: "",
        default: "false",
        help: "let whoever reaches a public address send",
        reload: Reload::Restart,
        form: Form::Switch {
            set: |config, on| config.insecure_no_auth = on,
        },
    },
    Knob {
        key: "tls-cert",
        group: Group::Tls,
        value: "FILE",
        default: "",
        help: "PEM of our certificate and its chain",
        reload: Reload::Restart,
        form: Form::Path {
            set: |config, path| config.named.certificate = Some(path),
        },
    },
    Knob {
        key: "tls-key",
        group: Group::Tls,
        value: "FILE",
        default: "",
        help: "PEM of its private key",
        reload: Reload::Restart,
        form: Form::Path {
            set: |config, path| config.named.key = Some(path),
        },
    },
    Knob {
        key: "client-ca",
        group: Group::Tls,
        value: "FILE",
        default: "",
        help: "PEM of authorities; clients must be theirs",
        reload: Reload::Restart,
        form: Form::Path {
            set: |config, path| config.named.client_ca = Some(path),
        },
    },
];
