//! What makes the inputs of a target, and watches over it.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use peak_alloc::PeakAlloc;
use rand::{Rng, RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::checks::Target;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// Memory that a reader may take, however small its input: buffers, and what threads have at hand.
const MEMORY: usize = 32 << 20;

/// And for each byte of its input.
const MEMORY_PER_BYTE: usize = 256;

/// Seconds for each target, unless `W2V_GPU_FUZZ_SECONDS` says otherwise.
const SECONDS: f64 = 0.5;

/// Targets take turns, so that memory is that of one.
static TURN: Mutex<()> = Mutex::new(());

/// Random choices. The same number of the same target gives the same ones.
pub(crate) struct Draw(Xoshiro256PlusPlus);

impl Draw {
    fn new(target: &str, number: u64) -> Self {
        let target = xxhash_rust::xxh3::xxh3_64(target.as_bytes());
        Self(Xoshiro256PlusPlus::seed_from_u64(target ^ number))
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0.random_range(0..end)
    }

    /// What a target chooses its reader's options by.
    pub(crate) fn choice(&mut self) -> u8 {
        self.below(256) as u8
    }

    pub(crate) fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// Up to `most` bytes, of letters that mean something, or any.
    pub(crate) fn bytes(&mut self, most: usize, letters: &[&[u8]]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for _ in 0..self.below(most + 1) {
            match self.one_in(4) {
                true => bytes.push(self.0.next_u32() as u8),
                false => bytes.extend_from_slice(self.pick::<&[u8]>(letters)),
            }
        }
        bytes
    }

    /// A damaged copy of one of the seeds.
    pub(crate) fn damaged(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let whole = &seeds[self.below(seeds.len())];
        self.damaged_one(whole, seeds)
    }

    /// A damaged copy of what is whole: a few of the things that happen to files, or that somebody
    /// does to them. Pieces of others may get into it.
    pub(crate) fn damaged_one(&mut self, whole: &[u8], others: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = whole.to_vec();
        for _ in 0..1 + self.below(4) {
            self.damage(&mut bytes, others);
        }
        bytes
    }

    fn damage(&mut self, bytes: &mut Vec<u8>, others: &[Vec<u8>]) {
        let at = self.below(bytes.len() + 1);
        let length = self.below(40.min(bytes.len() - at + 1));
        match self.below(9) {
            0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
            1 if at < bytes.len() => bytes[at] = self.0.next_u32() as u8,
            2 => bytes.truncate(at),
            3 => drop(bytes.drain(at..at + length)),
            4 => {
                let copy = bytes[at..at + length].to_vec();
                bytes.splice(at..at, copy);
            }
            5 => {
                let piece = self.bytes(12, PIECES);
                bytes.splice(at..at + length, piece);
            }
            // Numbers as bytes: lengths and offsets.
            6 if bytes.len() >= 8 => {
                let at =
                    self.below(bytes.len() - 7)
                        .min(if self.one_in(2) { 16 } else { usize::MAX });
                let number = self.pick(&NUMBERS).to_le_bytes();
                let width = *self.pick(&[1, 2, 4, 8]);
                bytes[at..at + width].copy_from_slice(&number[..width]);
            }
            // Numbers as text, in place of a run of digits; the first ones are those of headers.
            7 => {
                let runs = digits(bytes);
                let most = if self.one_in(2) { 2 } else { runs.len() };
                if !runs.is_empty() {
                    let run = runs[self.below(most.min(runs.len()))].clone();
                    bytes.splice(run, self.pick(&NUMBERS).to_string().into_bytes());
                }
            }
            8 => {
                let other = self.pick(others);
                let from = self.below(other.len() + 1);
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
            _ => {}
        }
    }
}

/// What formats are made of, and what terminals and parsers stumble over.
const PIECES: &[&[u8]] = &[
    b" ",
    b"\t",
    b"\n",
    b"\r\n",
    b"\0",
    b",",
    b":",
    b"\"",
    b"\\",
    b"[",
    b"]",
    b"{",
    b"}",
    b"(",
    b"=",
    b"#",
    b"-",
    b".",
    b"/",
    b"a",
    b"0",
    b"1",
    b"9",
    b"1e39",
    b"NaN",
    b"inf",
    b"null",
    b"true",
    b"\\u0000",
    b"\\ud800",
    b"\x1b[2J",
    b"\xe2\x80\xae",
    b"\xc2\x85",
    b"\xe2\x80\xa8",
    b"\xcc\x81",
    b"\xef\xbb\xbf",
    b"\xff",
    b"\xc3",
    b"\xf0\x9f",
];

/// Where lengths go wrong.
const NUMBERS: [u64; 16] = [
    0,
    1,
    2,
    127,
    255,
    65_535,
    65_536,
    1 << 24,
    1 << 28,
    (1 << 31) - 1,
    1 << 31,
    u32::MAX as u64,
    1 << 40,
    1 << 60,
    i64::MAX as u64,
    u64::MAX,
];

fn digits(bytes: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut runs: Vec<std::ops::Range<usize>> = Vec::new();
    for (at, _) in bytes
        .iter()
        .enumerate()
        .filter(|(_, byte)| byte.is_ascii_digit())
    {
        match runs.last_mut() {
            Some(run) if run.end == at => run.end += 1,
            _ => runs.push(at..at + 1),
        }
    }
    runs
}

/// Feeds a target with inputs for some time: `make` draws one, with its choice. The last input is
/// shown when the target's check panics, or takes more memory than the bound.
pub(crate) fn fuzz(target: Target, mut make: impl FnMut(&mut Draw) -> (Vec<u8>, u8)) {
    let Target {
        name: target,
        mut check,
        ..
    } = target;
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let seconds = std::env::var("W2V_GPU_FUZZ_SECONDS")
        .map_or(SECONDS, |text| text.parse().expect("seconds"));
    // A failure names its number: with it the one input is made again.
    let only: Option<u64> = std::env::var("W2V_GPU_FUZZ_ONLY")
        .ok()
        .map(|text| text.parse().expect("a number"));
    let (started, mut number, mut most) = (Instant::now(), only.unwrap_or(0), 0);
    loop {
        let mut draw = Draw::new(target, number);
        let (input, choice) = make(&mut draw);
        let before = HEAP.current_usage();
        HEAP.reset_peak_usage();
        let outcome = catch_unwind(AssertUnwindSafe(|| check(&input, choice)));
        let taken = HEAP.peak_usage().saturating_sub(before);
        let shown = || {
            let start = input[..input.len().min(2000)].escape_ascii();
            format!(
                "{target}: W2V_GPU_FUZZ_ONLY={number}, an input of {} bytes: {start}",
                input.len()
            )
        };
        if let Err(panic) = outcome {
            eprintln!("{}", shown());
            resume_unwind(panic);
        }
        let bound = MEMORY + MEMORY_PER_BYTE * input.len();
        assert!(
            taken <= bound,
            "{taken} bytes of memory, more than {bound}; {}",
            shown()
        );
        most = most.max(taken);
        number += 1;
        if only.is_some() || started.elapsed() >= Duration::from_secs_f64(seconds) {
            break;
        }
    }
    println!(
        "{target}: {number} executions, at most {} KB of memory",
        most >> 10
    );
}
