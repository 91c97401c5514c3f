//! What every storage backend must do, as cases that run on each of them: one row of the table
//! below is all that a new backend adds here. It speaks to the trait alone.

mod asking;
mod crashing;
mod damaging;
mod keeping;
mod make;
mod model;
mod ordering;
mod parking;
mod restoring;
mod retaining;
mod rig;
mod searching;
mod text;

/// A backend under test.
#[derive(Clone, Copy, Debug)]
pub struct Backend {
    /// Its scheme, for the name and for people.
    pub scheme: &'static str,
    /// Whether it is a file, whose name follows the scheme.
    pub file: bool,
    /// Whether what is durable is there after a crash.
    pub lasts: bool,
}

/// The table.
pub const BACKENDS: [Backend; 2] = [
    Backend {
        scheme: "memory",
        file: false,
        lasts: false,
    },
    Backend {
        scheme: "sqlite",
        file: true,
        lasts: true,
    },
];

/// Runs a case on every backend.
fn each(case: fn(&mut rig::Rig)) {
    for backend in BACKENDS {
        println!("backend {}", backend.scheme);
        case(&mut rig::Rig::new(backend));
    }
}
