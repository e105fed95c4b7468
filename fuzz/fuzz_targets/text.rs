#![no_main]

w2v_gpu_fuzz::target!(w2v_gpu_fuzz::checks::texts::text());
