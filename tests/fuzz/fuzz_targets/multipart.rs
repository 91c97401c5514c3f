//! Calls the check named `multipart` with what the fuzzer invents.
#![no_main]

#[path = "../checks_forms.rs"]
mod checks_forms;

libfuzzer_sys::fuzz_target!(|data: &[u8]| checks_forms::multipart(data));
