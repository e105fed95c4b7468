//! Whether the ranks of a run are about to train the same.

use std::fs::File;
use std::hash::Hasher;

use serde_json::Value;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::checkpoint::Fingerprint;
use super::ranks::Ranks;
use crate::error::{Error, Result};

/// What must be the same on all ranks: what it is, as a noun phrase, and its digest.
type Digests = Vec<(String, u64)>;

/// Compares what the ranks are about to train. `host` is the name of this rank's machine, `steps` the
/// number of batches trained so far.
///
/// # Errors
/// [`Error::Ranks`], the same on all ranks: it names the first rank that differs from rank 0, its
/// machine, and what differs.
pub fn agree(ranks: &dyn Ranks, host: &str, run: &Fingerprint, steps: u64) -> Result<()> {
    let mut digests = program();
    digests.extend(of_run(run));
    digests.push(("checkpoint to resume from".to_owned(), steps));
    compare(ranks, host, &digests)
}

fn compare(ranks: &dyn Ranks, host: &str, own: &Digests) -> Result<()> {
    let message =
        serde_json::to_vec(&(host, own)).map_err(|error| Error::ranks(error.to_string()))?;
    let all = ranks.gather(words_of(&message))?;
    let read = |message: &Vec<u32>| serde_json::from_slice(&bytes_of(message));
    let all: std::result::Result<Vec<(String, Digests)>, _> = all.iter().map(read).collect();
    let all = all.map_err(|_| Error::ranks("they are of different versions of this program"))?;
    let first = &all[0].1;
    for (rank, (host, digests)) in all.iter().enumerate().skip(1) {
        let differs = first.iter().zip(digests).find(|(first, own)| first != own);
        let differs = differs.map(|((what, _), _)| &**what);
        if let Some(what) = differs.or((first.len() != digests.len()).then_some("settings")) {
            return Err(Error::ranks(format!(
                "rank {rank} ({host}) has another {what} than rank 0: give all ranks the same \
                 program, options and texts"
            )));
        }
    }
    Ok(())
}

/// The digests of the program itself. One that cannot be read, or found, counts as the same.
fn program() -> Digests {
    let mut hash = Xxh3::new();
    let file = std::env::current_exe().and_then(File::open);
    let read = file.and_then(|mut file| std::io::copy(&mut file, &mut Hash(&mut hash)));
    let executable = read.map_or(0, |_| hash.finish());
    let version = xxh3_64(env!("CARGO_PKG_VERSION").as_bytes());
    vec![
        ("version of w2v-gpu".to_owned(), version),
        ("build of w2v-gpu".to_owned(), executable),
    ]
}

struct Hash<'a>(&'a mut Xxh3);

impl std::io::Write for Hash<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The settings that a run may have chosen by its text, which is what differs then.
const CHOSEN: [&str; 4] = ["`sample`", "`batch`", "`min_lr`", "`sync`"];

/// The digests of a fingerprint: each setting by its name, and its other parts. Of the engine its
/// kind counts. What follows from other things comes last.
fn of_run(run: &Fingerprint) -> Digests {
    let digest = |value: &Value| xxh3_64(value.to_string().as_bytes());
    let Ok(Value::Object(parts)) = serde_json::to_value(run) else {
        return Digests::new();
    };
    let mut digests = Digests::new();
    for (name, value) in &parts {
        match (&**name, value) {
            ("settings", Value::Object(settings)) => digests.extend(
                settings
                    .iter()
                    .map(|(setting, value)| (format!("`{setting}`"), digest(value))),
            ),
            ("engine", Value::String(engine)) => {
                let kind = engine.split(' ').next().unwrap_or_default();
                digests.push(("kind of engine".to_owned(), xxh3_64(kind.as_bytes())));
            }
            (name, value) => digests.push((name.replace('_', " "), digest(value))),
        }
    }
    digests.sort_by_key(|(what, _)| CHOSEN.contains(&&**what));
    digests
}

/// Gives all ranks the bytes that rank 0 has; what others have does not count.
///
/// # Errors
/// As [`Ranks::gather`].
pub fn from_first(ranks: &dyn Ranks, bytes: &[u8]) -> Result<Vec<u8>> {
    let own = if ranks.rank() == 0 {
        words_of(bytes)
    } else {
        Vec::new()
    };
    let all = ranks.gather(own)?;
    Ok(all.first().map(|words| bytes_of(words)).unwrap_or_default())
}

/// Bytes as words, with their number in front.
fn words_of(bytes: &[u8]) -> Vec<u32> {
    let length = bytes.len() as u64;
    let mut words = vec![length as u32, (length >> 32) as u32];
    let (whole, rest) = bytes.as_chunks::<4>();
    words.extend(whole.iter().map(|bytes| u32::from_le_bytes(*bytes)));
    let mut last = [0; 4];
    last[..rest.len()].copy_from_slice(rest);
    words.push(u32::from_le_bytes(last));
    words
}

/// The bytes of [`words_of`].
fn bytes_of(words: &[u32]) -> Vec<u8> {
    let [low, high, words @ ..] = words else {
        return Vec::new();
    };
    let length = u64::from(*low) | u64::from(*high) << 32;
    let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    bytes.truncate(length as usize);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::ranks::{Threads, on_each};

    #[test]
    fn the_first_rank_that_differs_is_named_by_all() {
        let digests = |text: u64| vec![("`dim`".to_owned(), 7), ("corpus".to_owned(), text)];
        assert!(
            on_each(3, |ranks| compare(ranks, "a", &digests(1)))
                .iter()
                .all(Result::is_ok)
        );
        let told = on_each(4, |ranks| {
            let host = format!("host{}", ranks.rank());
            let text = u64::from(ranks.rank() > 1);
            compare(ranks, &host, &digests(text))
                .unwrap_err()
                .to_string()
        });
        for error in told {
            let expected = "several ranks: rank 2 (host2) has another corpus than rank 0";
            assert!(error.starts_with(expected), "{error}");
        }
        let told = on_each(2, |ranks| {
            let mut own = digests(1);
            own.truncate(2 - ranks.rank());
            compare(ranks, "a", &own).unwrap_err().to_string()
        });
        assert!(
            told[0].contains("rank 1 (a) has another settings"),
            "{told:?}"
        );
    }

    #[test]
    fn all_have_the_bytes_of_the_first() {
        for length in [0, 1, 3, 4, 9] {
            let bytes: Vec<u8> = (0..length).collect();
            let own = |ranks: &Threads| {
                if ranks.rank() == 0 {
                    bytes.clone()
                } else {
                    vec![9; 77]
                }
            };
            let all = on_each(3, |ranks| from_first(ranks, &own(ranks)).unwrap());
            assert_eq!(all, [bytes.clone(), bytes.clone(), bytes.clone()]);
        }
    }

    #[test]
    fn a_program_is_known_by_its_bytes() {
        let digests = program();
        assert!(digests.iter().all(|(_, digest)| *digest != 0));
        assert_eq!(digests, program());
    }
}
