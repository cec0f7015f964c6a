#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kube2hadoop_fetcher_fuzz::answers::holds(data));
