//! The `w2v-gpu` command: see `w2v-gpu --help`.

fn main() -> std::process::ExitCode {
    w2v_gpu::cli::run(std::env::args_os()).into()
}
