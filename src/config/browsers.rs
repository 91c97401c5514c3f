//! The knobs about browsers, a part of the one table.
//! It never knows where a value came from.

use super::form::Form;
use super::knob::{Group, Knob, Reload};
use crate::access::browser::NAME_FORM;
use crate::http::origin::ORIGIN_FORM;

/// Those about browsers, in the order of their page.
pub(super) static KNOBS: [Knob; 2] = [
    Knob {
        key: "cors-origin",
        group: Group::Browsers,
        value: "ORIGIN",
        default: "",
        help: "whose pages may read and send; may be repeated",
        reload: Reload::Signal,
        form: Form::List {
            complaint: "is not an origin",
            allowed: ORIGIN_FORM,
            add: |config, text| config.engine.browsers.origins.add(text),
        },
    },
    Knob {
        key: "host-name",
        group: Group::Browsers,
        value: "NAME",
        default: "",
        help: "by which browsers may call us; may be repeated",
        reload: Reload::Signal,
        form: Form::List {
            complaint: "is not a host name",
            allowed: NAME_FORM,
            add: |config, text| config.engine.browsers.add_name(text),
        },
    },
];
