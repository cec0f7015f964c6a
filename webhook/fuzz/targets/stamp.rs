#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kube2hadoop_webhook_fuzz::stamp::holds(data));
