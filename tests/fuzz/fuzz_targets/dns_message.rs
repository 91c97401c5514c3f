//! Calls the check named `dns_message` with what the fuzzer invents.
#![no_main]

#[path = "../checks.rs"]
#[allow(dead_code)]
mod checks;

libfuzzer_sys::fuzz_target!(|data: &[u8]| checks::dns_message(data));
