//! Calls the check named `json_line` with what the fuzzer invents.
#![no_main]

#[path = "../checks.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|data: &[u8]| checks::json_line(data));
