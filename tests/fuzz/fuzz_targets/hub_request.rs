//! Calls the check named `hub_request` with what the fuzzer invents.
#![no_main]

#[path = "../checks.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|data: &[u8]| checks::hub_request(data));
