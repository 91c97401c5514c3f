//! Who may do what. It looks at requests and at who sends them, and never at what they are about.

pub mod browser;
