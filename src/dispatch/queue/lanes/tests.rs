//! Lanes by hand.

use super::*;
