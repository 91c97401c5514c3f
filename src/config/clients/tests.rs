//! What the arguments of `send` and `tail` come to, hostile ones too.

use super::*;
