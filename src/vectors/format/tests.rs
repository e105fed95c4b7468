use std::collections::BTreeMap;
use std::fs;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::error::shown;
use crate::quantity::plural;

const NAMES: [&str; 6] = [
    "v.txt",
    "v.bin",
    "v.glove",
    "v.npy",
    "v.safetensors",
    "v.tsv",
];

fn vectors(words: &[&str], dim: usize, values: &[f32]) -> Vectors {
    Vectors::new(
        Vocab::from_words(words.iter().map(|word| (*word, 0))).unwrap(),
        Matrix::from_values(dim, values.to_vec()),
    )
}

/// Two words of two dimensions.
fn small() -> Vectors {
    vectors(&["a", "é"], 2, &[1.0, -2.0, 0.5, 3e-5])
}

/// The files that hold `vectors` in each format, by name.
fn files(name: &str, vectors: &Vectors) -> BTreeMap<String, Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join(name), &vectors.vocab, &vectors.matrix).unwrap();
    let entries = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap());
    entries
        .map(|entry| {
            (
                entry.file_name().into_string().unwrap(),
                fs::read(entry.path()).unwrap(),
            )
        })
        .collect()
}

/// The plan of a run refuses what does not fit on the disk, by this size.
#[test]
fn the_size_of_the_files_is_known_before_they_are_written() {
    let words: Vec<(String, u64)> = (0..2000u64)
        .map(|i| (format!("word{}", i * i), 1_000_000 / (i + 1)))
        .collect();
    let vocab = Vocab::from_words(words.iter().map(|(word, count)| (&**word, *count))).unwrap();
    let dim = 20;
    // From 0.3 down to 0.0006, with either sign, and with digits to the last bit.
    let value = |i: usize| [1.0, -1.0][i % 2] * 0.3 * (-((i % 1009) as f32) / 160.0).exp();
    let values = (0..words.len() * dim).map(value).collect();
    let matrix = Matrix::from_values(dim, values);
    let vectors = Vectors::new(vocab, matrix);
    for name in NAMES {
        let format = Format::from_path(Path::new(name)).unwrap();
        let planned = format.estimated_bytes(&vectors.vocab, words.len() as u64, dim as u64);
        let files = files(name, &vectors);
        let written: usize = files.values().map(Vec::len).sum();
        let ratio = planned as f64 / written as f64;
        let is_text = format.0.value_bytes == TEXT_VALUE_BYTES;
        let most = if is_text { 1.25 } else { 1.01 };
        assert!((0.99..most).contains(&ratio), "{name} {planned} {written}");
    }
}

fn folder_of(files: &BTreeMap<String, Vec<u8>>) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

/// Reads these files, of which `name` has the vectors.
fn read_files(name: &str, files: &BTreeMap<String, Vec<u8>>) -> Result<Vectors> {
    read(&folder_of(files).path().join(name))
}

/// Reads a file of these bytes. For formats of two files, the second one holds the words `a` and
/// `b`.
fn read_bytes(name: &str, bytes: impl AsRef<[u8]>) -> Result<Vectors> {
    let words = ["v.vocab", "v.metadata.tsv"].map(|words| (words.to_owned(), b"a\nb\n".to_vec()));
    let mut files = BTreeMap::from(words);
    files.insert(name.to_owned(), bytes.as_ref().to_vec());
    read_files(name, &files)
}

#[track_caller]
fn assert_refused(result: Result<Vectors>, name: &str, place_and_why: &str) {
    let error = result.unwrap_err();
    assert!(matches!(error, Error::Format { .. }), "{error}");
    let message = error.to_string();
    assert!(
        message.contains(&format!("{name}: {place_and_why}")),
        "{message}\nis not\n{name}: {place_and_why}"
    );
}

/// Reads a file of these bytes with `strict`, which refuses all oddities.
fn read_strictly(name: &str, bytes: impl AsRef<[u8]>) -> Result<Vectors> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    let strict = Reading {
        strict: true,
        ..Reading::default()
    };
    Ok(strict.read(&path, &mut |_, _| ())?.vectors)
}

/// Reads a file of these bytes. Returns each word with its row, and the oddities.
fn read_odd(name: &str, bytes: impl AsRef<[u8]>) -> (Vec<(String, Vec<f32>)>, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    rows_and_oddities(Reading::default().read(&path, &mut |_, _| ()).unwrap())
}

fn rows_and_oddities(loaded: LoadedVectors) -> (Vec<(String, Vec<f32>)>, String) {
    let Vectors { vocab, matrix, .. } = &loaded.vectors;
    let rows = vocab
        .words()
        .enumerate()
        .map(|(id, word)| (word.to_owned(), matrix.row(id).to_vec()))
        .collect();
    (rows, loaded.odd.to_string())
}

fn row(word: &str, values: &[f32]) -> (String, Vec<f32>) {
    (word.to_owned(), values.to_vec())
}

#[track_caller]
fn refused(name: &str, bytes: impl AsRef<[u8]>, place_and_why: &str) {
    assert_refused(read_bytes(name, bytes), name, place_and_why);
}

fn bits(matrix: &Matrix) -> Vec<u32> {
    matrix
        .values()
        .iter()
        .map(|value| value.to_bits())
        .collect()
}

fn finite() -> BoxedStrategy<f32> {
    use prop::num::f32::{NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
    let edges = [
        0.0,
        -0.0,
        f32::MIN_POSITIVE,
        -f32::MIN_POSITIVE,
        f32::from_bits(1),
        f32::MAX,
        f32::MIN,
        f32::EPSILON,
    ];
    prop_oneof![
        POSITIVE | NEGATIVE | NORMAL | SUBNORMAL | ZERO,
        prop::sample::select(edges.to_vec()),
        -1.0f32..1.0
    ]
    .boxed()
}

fn finite_f16() -> BoxedStrategy<f32> {
    any::<u16>()
        .prop_map(|bits| half::f16::from_bits(bits).to_f32())
        .prop_filter("finite", |value| value.is_finite())
        .boxed()
}

/// Words with counts, and a matrix of their rows.
fn table(values: BoxedStrategy<f32>) -> impl Strategy<Value = Vectors> {
    let count = prop_oneof![Just(0), 1u64..5, Just(u64::MAX)];
    let words = prop::collection::btree_map("[^\\p{Z}\\p{Cc}]{1,9}", count, 1..12);
    (words, 1usize..9).prop_flat_map(move |(words, dim)| {
        let values = prop::collection::vec(values.clone(), words.len() * dim);
        values.prop_map(move |values| {
            let words = words.iter().map(|(word, count)| (word.as_str(), *count));
            let vocab = Vocab::from_words(words).unwrap();
            Vectors::new(vocab, Matrix::from_values(dim, values))
        })
    })
}

fn assert_round_trip(vectors: &Vectors, dtype: Dtype, configuration: Option<&str>) {
    let folder = tempfile::tempdir().unwrap();
    for name in NAMES {
        let path = folder.path().join(name);
        let format = Format::from_path(&path).unwrap();
        let table = VectorTable {
            dtype,
            configuration,
            ..VectorTable::new(&vectors.vocab, &vectors.matrix)
        };
        if format.check_dtype(dtype).is_err() {
            continue;
        }
        format.write(&path, &table, &mut |_, _| ()).unwrap();
        let back = format.read(&path, &mut |_, _| ()).unwrap();
        assert!(
            back.vectors.vocab.words().eq(vectors.vocab.words()),
            "{name}"
        );
        assert_eq!(bits(&back.vectors.matrix), bits(&vectors.matrix), "{name}");
        assert_eq!(back.vectors.matrix.dim(), vectors.matrix.dim(), "{name}");
        if format.holds().counts {
            assert_eq!(
                back.vectors.vocab.counts(),
                vectors.vocab.counts(),
                "{name}"
            );
        }
        if format.holds().configuration {
            assert_eq!(back.configuration.as_deref(), configuration, "{name}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_reads_back_bit_for_bit(vectors in table(finite()), configuration in prop::option::of(".*")) {
        assert_round_trip(&vectors, Dtype::F32, configuration.as_deref());
    }

    #[test]
    fn halves_are_written_as_f16_bit_for_bit(vectors in table(finite_f16())) {
        assert_round_trip(&vectors, Dtype::F16, None);
    }

    #[test]
    fn no_bytes_make_a_reader_panic(
        start in prop::sample::select(vec![
            "", "2 1\n", "3 2\n", "2147483648 9999999999\n", "\u{93}NUMPY\u{1}\0\u{40}\0{'descr': \
                                                              '<f4', 'shape': (2,",
            "\u{10}\0\0\0\0\0\0\0{\"vectors\":{}}", "1\t2\n",
        ]),
        body in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(b"ab01 .\t\n".to_vec())], 0..60),
    ) {
        // A char is a byte here.
        let bytes: Vec<u8> = start.chars().map(|c| c as u8).chain(body).collect();
        for name in NAMES {
            if let Ok(vectors) = read_bytes(name, &bytes) {
                prop_assert_eq!(vectors.vocab.len(), vectors.matrix.rows());
            }
            let mut files = files(name, &small());
            files.entry("v.vocab".to_owned()).and_modify(|words| words.clone_from(&bytes));
            files.entry("v.metadata.tsv".to_owned()).and_modify(|words| words.clone_from(&bytes));
            let _ = read_files(name, &files);
        }
    }

    #[test]
    fn no_damage_makes_a_reader_panic(
        at in any::<prop::sample::Index>(),
        new in any::<u8>(),
        keep in any::<prop::sample::Index>(),
        which in 0usize..2,
    ) {
        for name in NAMES {
            let good = files(name, &small());
            let damaged = good.keys().nth(which.min(good.len() - 1)).unwrap();
            let bytes = &good[damaged];
            let mut changed = bytes.clone();
            changed[at.index(bytes.len())] = new;
            let cut = bytes[..keep.index(bytes.len())].to_vec();
            for bytes in [changed, cut] {
                let mut files = good.clone();
                files.insert(damaged.clone(), bytes);
                if let Ok(vectors) = read_files(name, &files) {
                    prop_assert_eq!(vectors.vocab.len(), vectors.matrix.rows());
                    prop_assert!(vectors.matrix.values().iter().all(|value| value.is_finite()));
                }
            }
        }
    }
}

#[test]
fn the_extension_chooses_the_format() {
    assert_eq!(
        Format::from_path(Path::new("a.b/v.txt")).unwrap(),
        Format::TEXT
    );
    assert_eq!(Format::from_path(Path::new("v.VEC")).unwrap(), Format::TEXT);
    assert_eq!(
        Format::from_path(Path::new("v.glove")).unwrap(),
        Format::GLOVE
    );
    for format in Format::all() {
        for extension in format.extensions() {
            assert_eq!(
                Format::from_path(&Path::new("v").with_extension(extension)).unwrap(),
                format
            );
        }
    }
    for name in ["v.doc", "v", ".bin", "v.bin.gz", "v.vocab"] {
        let error = Format::from_path(Path::new(name)).unwrap_err().to_string();
        assert!(error.starts_with(&format!(
            "{name}: the file name: must end in one of: .txt or .vec (word2vec text)"
        )));
        assert!(
            NAMES.iter().all(|name| error.contains(&name[1..])),
            "{error}"
        );
    }
}

#[test]
fn a_second_file_is_named_after_the_first() {
    let files = |name: &str, extension| {
        Format::from_extension(extension)
            .unwrap()
            .files(Path::new(name))
    };
    assert_eq!(files("a.b/v.txt", "txt").unwrap(), [Path::new("a.b/v.txt")]);
    assert_eq!(
        files("a.b/v.w.npy", "npy").unwrap(),
        [Path::new("a.b/v.w.npy"), Path::new("a.b/v.w.vocab")]
    );
    assert_eq!(
        files("v.TSV", "tsv").unwrap(),
        [Path::new("v.TSV"), Path::new("v.metadata.tsv")]
    );
    for name in ["v.vocab", "v", "/dev/stdout", "v.tsv"] {
        let error = files(name, "npy").unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("{name}: the file name: must end in .npy")),
            "{error}"
        );
    }
}

#[test]
fn a_file_that_is_missing_or_a_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    for name in NAMES {
        let path = folder.path().join(name);
        let error = read(&path).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("cannot open {}: ", shown(&path))),
            "{error}"
        );
        fs::create_dir(&path).unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("cannot read {}: ", shown(&path))),
            "{error}"
        );
        let small = small();
        assert!(write(&path, &small.vocab, &small.matrix).is_err());
    }
}

#[test]
fn many_rows_read_back_and_both_ends_say_how_far_they_are() {
    let rows = 40_000;
    let words: Vec<String> = (0..rows).map(|id| id.to_string()).collect();
    let vocab = Vocab::from_words(words.iter().map(|word| (word.as_str(), 0))).unwrap();
    let matrix = Matrix::from_values(50, (0..rows * 50).map(|value| value as f32).collect());
    let folder = tempfile::tempdir().unwrap();
    for name in NAMES {
        let path = folder.path().join(name);
        let format = Format::from_path(&path).unwrap();
        let (mut written, mut read) = (Vec::new(), Vec::new());
        format
            .write(
                &path,
                &VectorTable::new(&vocab, &matrix),
                &mut |done, all| written.push((done, all)),
            )
            .unwrap();
        let back = format
            .read(&path, &mut |done, all| read.push((done, all)))
            .unwrap()
            .vectors;
        assert!(back.vocab.words().eq(&words), "{name}");
        assert_eq!(back.matrix, matrix, "{name}");
        let bytes = fs::metadata(&path).unwrap().len();
        assert_eq!(written.last(), Some(&(rows as u64, rows as u64)), "{name}");
        for reports in [&written, &read] {
            assert!(
                reports.is_sorted_by(|a, b| a.0 < b.0),
                "{name}: {reports:?}"
            );
        }
        assert!(
            !read.is_empty() && read.iter().all(|&(done, all)| all == bytes && done <= all),
            "{name}: {read:?}"
        );
    }
}

/// A file whose rows have every oddity that published files have.
const ODD: &str = "8 2\nriver 0.5 0.25\n\u{a0} 1 2\nnew york 3 4\nriver 9 9\n 8 8\n\n\t 5 6\n. . . \
                   7 8\nstone -0.5 0.125\n";

const TOLD: &str = "words kept that hold whitespace or control characters: 4 (first: line 3, \
                    \"\\u{a0}\"); rows left out whose word stands in an earlier row: 1 (first: \
                    line 5, \"river\"); rows left out that have no word: 2 (first: line 6, \"\")";

#[test]
fn odd_rows_of_text_are_read_and_told_of_and_the_others_are_as_they_were() {
    let expected = [
        row("river", &[0.5, 0.25]),
        row("\u{a0}", &[1.0, 2.0]),
        row("new york", &[3.0, 4.0]),
        row("\t", &[5.0, 6.0]),
        row(". . .", &[7.0, 8.0]),
        row("stone", &[-0.5, 0.125]),
    ];
    let (rows, odd) = read_odd("v.txt", ODD);
    assert_eq!((rows.as_slice(), &*odd), (&expected[..], TOLD));
    assert_eq!(
        read_odd("v.txt", ODD.replace('\n', " \r\n")),
        (expected.to_vec(), TOLD.to_owned())
    );
    let (rows, odd) = read_odd("v.glove", ODD.split_once('\n').unwrap().1);
    assert_eq!(
        (
            rows.as_slice(),
            odd.contains("4 (first: line 2, \"\\u{a0}\")")
        ),
        (&expected[..], true)
    );
    for line in [
        "\u{a0} 1 2",
        "new york 1 2",
        "a 9 9",
        "\t 5 6",
        " 1 2",
        "\x1b 1 2",
        "\n1 2",
    ] {
        for (name, header) in [("v.txt", "3 2\n"), ("v.glove", "")] {
            let error = read_strictly(name, format!("{header}a 1 2\n{line}\nb 1 2\n"))
                .unwrap_err()
                .to_string();
            assert!(
                error.contains(&format!(": line {}: ", 2 + header.lines().count())),
                "{line:?}: {error}"
            );
            assert!(
                error.ends_with("; without `strict` such rows are counted and told of"),
                "{line:?}: {error}"
            );
        }
    }
}

/// The dimensions are those of most rows. So a word may hold spaces and numbers, even in the first
/// row.
#[test]
fn the_last_fields_are_the_values_however_the_word_looks() {
    let rows = "windows 95 0.5 0.25\na 1 2\n7 3 4\n1 2 3 5 6\nnan 7 8\nto inf 9 0\n";
    let expected = [
        row("windows 95", &[0.5, 0.25]),
        row("a", &[1.0, 2.0]),
        row("7", &[3.0, 4.0]),
        row("1 2 3", &[5.0, 6.0]),
        row("nan", &[7.0, 8.0]),
        row("to inf", &[9.0, 0.0]),
    ];
    assert_eq!(read_odd("v.glove", rows).0, expected);
    assert_eq!(read_odd("v.txt", format!("6 2\n{rows}")).0, expected);
    let long: String = (0..200_000).map(|value| format!(" {value}")).collect();
    assert_eq!(
        read_bytes("v.glove", format!("a{long}\nb{long}\n"))
            .unwrap()
            .matrix
            .dim(),
        200_000
    );
}

#[test]
fn a_header_that_is_off_is_told_of() {
    for (text, told) in [
        (
            "5 1\na 1\nb 2\n",
            "the header promises 5 words, and there are 2 rows",
        ),
        (
            "1 1\na 1\nb 2",
            "the header promises 1 word, and there are 2 rows",
        ),
    ] {
        assert_eq!(
            read_odd("v.txt", text),
            (vec![row("a", &[1.0]), row("b", &[2.0])], told.to_owned())
        );
        let error = read_strictly("v.txt", text).unwrap_err().to_string();
        assert!(
            error.contains(&format!(
                "the {} that its header promises",
                &told[20..told.find(',').unwrap()]
            )),
            "{error}"
        );
    }
    let rows: [(&str, &[f32]); 2] = [("a", &[1.0]), ("b", &[2.0])];
    for (header, end) in [("5 1", "\n"), ("5 1", ""), ("1 1", "\n"), ("1 1", "")] {
        let bytes = binary(header, &rows, end);
        let (read, odd) = read_odd("v.bin", &bytes);
        assert_eq!(read, [row("a", &[1.0]), row("b", &[2.0])]);
        let promised = if header == "1 1" { "1 word" } else { "5 words" };
        assert_eq!(
            odd,
            format!("the header promises {promised}, and there are 2 rows")
        );
        let error = read_strictly("v.bin", &bytes).unwrap_err().to_string();
        assert!(
            error.contains(&format!("the {promised} that its header promises")),
            "{error}"
        );
    }
}

#[test]
fn odd_rows_of_binaries_are_read_and_told_of() {
    let cut = "東京".as_bytes()[..5].to_vec();
    let words: [&[u8]; 6] = [b"\xe9t\xe9", &cut, b"a", "\u{a0}".as_bytes(), b"a", b""];
    for end in [&b"\n"[..], b""] {
        let mut bytes = b"6 1\n".to_vec();
        for (value, word) in words.iter().enumerate() {
            bytes.extend([word, &b" "[..], &(value as f32).to_le_bytes(), end].concat());
        }
        let (rows, odd) = read_odd("v.bin", &bytes);
        let expected = [
            ("\u{fffd}t\u{fffd}", 0.0),
            ("東\u{fffd}", 1.0),
            ("a", 2.0),
            ("\u{a0}", 3.0),
        ];
        assert_eq!(rows, expected.map(|(word, value)| row(word, &[value])));
        assert!(
            odd.starts_with(
                "words kept with U+FFFD for bytes that are not UTF-8: 2 (first: byte 4, "
            ),
            "{odd}"
        );
        assert!(
            odd.contains("whitespace or control characters: 1 ") && odd.contains("earlier row: 1 "),
            "{odd}"
        );
        assert!(odd.contains("have no word: 1 (first: byte "), "{odd}");
        let error = read_strictly("v.bin", &bytes).unwrap_err().to_string();
        assert!(
            error.contains("byte 4: the word \"\u{fffd}t\u{fffd}\" is not UTF-8"),
            "{error}"
        );
    }
}

/// A word with a space shifts what follows, which would be read as garbage.
#[test]
fn a_binary_whose_rows_are_shifted_is_refused() {
    let rows: [(&str, &[f32]); 4] = [
        ("a", &[1.0, 2.0]),
        ("new york", &[3.0, 4.0]),
        ("b", &[0.1, -0.2]),
        ("c", &[5.0, 6.0]),
    ];
    for (end, place) in [
        ("\n", "byte 27: no newline after the vector of \"new\""),
        ("", "byte 26: the word "),
    ] {
        refused("v.bin", binary("4 2", &rows, end), place);
        let error = read_bytes("v.bin", binary("4 2", &rows, end))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("holds a space") && error.contains("with `top = 1` takes"),
            "{error}"
        );
    }
    // Here the bytes left of a vector are no control characters, and those of the next word are
    // whole.
    let value = |seventh: u8| f32::from(seventh) / 7.0;
    let [a, b, c] = [0, 3, 6].map(|first| [value(first), value(first + 1), value(first + 2)]);
    let bytes = binary("3 3", &[("a", &a), ("new york", &b), ("b\u{a0}c", &c)], "");
    refused(
        "v.bin",
        bytes,
        "byte 34: the word \"?n\u{fffd}6?b\\u{a0}c\" follows values of no usual size; the file is \
         damaged",
    );
}

#[test]
fn odd_words_of_a_binary_without_newlines_are_kept_and_short_parts_of_words_are_refused() {
    let row: &[f32] = &[0.1, -0.2, 0.3];
    for odd in ["\0", "a\0b", "\u{1b}", "\u{7f}", "a\tb"] {
        let read = read_bytes(
            "v.bin",
            binary("3 3", &[("a", row), (odd, row), ("c", row)], ""),
        )
        .unwrap();
        assert!(read.vocab.words().eq(["a", odd, "c"]), "{odd:?}");
    }
    for part in ["x", "an", "oak", "york", "yorks"] {
        let spaced = format!("new {part}");
        let second = binary(
            "4 3",
            &[("a", row), ("b", row), (&spaced, row), ("c", row)],
            "",
        );
        let error = read_bytes("v.bin", second).unwrap_err().to_string();
        assert!(
            error.contains("holds a space") && error.contains("with `top = 2` takes"),
            "{part}: {error}"
        );
        let first = binary("3 3", &[(&spaced, row), ("b", row), ("c", row)], "");
        let error = read_bytes("v.bin", first).unwrap_err().to_string();
        assert!(
            error.contains("holds a space") && error.ends_with("write the vectors again as text"),
            "{part}: {error}"
        );
    }
}

#[test]
fn odd_words_beside_values_are_read_and_told_of() {
    let good = vectors(&["a", "b", "c", "d"], 1, &[1.0, 2.0, 3.0, 4.0]);
    for (name, words_name) in [("v.npy", "v.vocab"), ("v.tsv", "v.metadata.tsv")] {
        let mut files = files(name, &good);
        files
            .insert(
                words_name.to_owned(),
                b"\xef\xbb\xbfa b\na b\n\n\xe9".to_vec(),
            )
            .unwrap();
        let folder = folder_of(&files);
        let path = folder.path().join(name);
        let (rows, odd) =
            rows_and_oddities(Reading::default().read(&path, &mut |_, _| ()).unwrap());
        assert_eq!(
            rows,
            [row("a b", &[1.0]), row("\u{fffd}", &[4.0])],
            "{name}"
        );
        assert!(
            odd.contains("(first: line 1, \"a b\")") && odd.contains("(first: line 2, \"a b\")"),
            "{odd}"
        );
        assert!(
            odd.contains("no word: 1 (first: line 3, \"\")") && odd.contains("(first: line 4, "),
            "{odd}"
        );
        let error = Reading {
            strict: true,
            ..Reading::default()
        }
        .read(&path, &mut |_, _| ())
        .unwrap_err()
        .to_string();
        assert!(
            error.contains(&format!(
                "{words_name}: line 1: the word \"a b\" holds the whitespace"
            )),
            "{error}"
        );
    }
    let mut files = files("v.tsv", &good);
    files.insert("v.metadata.tsv".to_owned(), b"Word\tCount\na\t7\n".to_vec());
    assert_refused(
        read_files("v.tsv", &files),
        "v.metadata.tsv",
        "line 1: more than one column between tabs; keep",
    );
}

/// Rows that are left out do not count towards `top`, and anything may follow the last one.
#[test]
fn nothing_is_read_beyond_the_rows_asked_for() {
    let reading = |top| Reading {
        top: std::num::NonZeroUsize::new(top),
        ..Reading::default()
    };
    let text = "9 1\na 1\na 9\nb 2\nbroken\n";
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("v.txt"), text).unwrap();
    fs::write(path("v.glove"), text.split_once('\n').unwrap().1).unwrap();
    fs::write(
        path("v.bin"),
        [
            binary("9 1", &[("a", &[1.0]), ("a", &[9.0]), ("b", &[2.0])], "\n"),
            b"c".into(),
        ]
        .concat(),
    )
    .unwrap();
    for (name, all) in [("v.txt", 9), ("v.bin", 9), ("v.glove", 3)] {
        let loaded = reading(2).read(&path(name), &mut |_, _| ()).unwrap();
        assert_eq!(loaded.rows, all, "{name}");
        let (rows, odd) = rows_and_oddities(loaded);
        assert_eq!(rows, [row("a", &[1.0]), row("b", &[2.0])], "{name}");
        assert!(
            odd.starts_with("rows left out whose word stands in an earlier row: 1 ")
                && !odd.contains("header")
        );
        let (rows, odd) = rows_and_oddities(reading(1).read(&path(name), &mut |_, _| ()).unwrap());
        assert_eq!((rows, &*odd), (vec![row("a", &[1.0])], ""), "{name}");
        assert!(
            reading(3).read(&path(name), &mut |_, _| ()).is_err(),
            "{name}"
        );
    }
    let three = vectors(&["a", "b", "c"], 1, &[1.0, 2.0, 3.0]);
    for name in NAMES {
        write(&path(name), &three.vocab, &three.matrix).unwrap();
        let loaded = reading(2).read(&path(name), &mut |_, _| ()).unwrap();
        assert_eq!(
            rows_and_oddities(loaded).0,
            [row("a", &[1.0]), row("b", &[2.0])],
            "{name}"
        );
    }
}

#[test]
fn a_byte_order_mark_is_no_part_of_vectors_or_words() {
    for name in ["v.txt", "v.bin", "v.glove", "v.tsv"] {
        let marked: BTreeMap<_, _> = files(name, &small())
            .into_iter()
            .map(|(name, bytes)| (name, [&b"\xef\xbb\xbf"[..], &bytes].concat()))
            .collect();
        let read = read_files(name, &marked).unwrap();
        assert!(
            read.vocab.words().eq(small().vocab.words()) && read.matrix == small().matrix,
            "{name}"
        );
    }
    // A word that looks like a byte order mark is written such that it is read back.
    let word = vectors(&["\u{feff}the", "\u{feff}"], 1, &[1.0, 2.0]);
    for name in NAMES {
        assert!(
            read_files(name, &files(name, &word))
                .unwrap()
                .vocab
                .words()
                .eq(word.vocab.words()),
            "{name}"
        );
    }
    let utf_16: Vec<u8> = "\u{feff}1 1\na 1\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let error = read_bytes("v.txt", utf_16).unwrap_err().to_string();
    assert!(
        error.contains("v.txt: is text of UTF-16") && error.contains("iconv -f UTF-16 -t UTF-8"),
        "{error}"
    );
    let read = read_bytes("v.txt", "\u{feff}\u{feff}1 1\na 1\n").unwrap();
    assert!(read.vocab.words().eq(["a"]));
}

#[test]
fn utf_16_without_a_mark_is_refused_with_what_converts_it() {
    let text = "2 2\nriver 0.5 0.25\nstone 1 2\n";
    let (little, big): (Vec<u8>, Vec<u8>) = (
        text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
    );
    for (bytes, encoding) in [(little, "UTF-16LE"), (big, "UTF-16BE")] {
        let why = format!("is text of {encoding}; convert it by `iconv -f {encoding} -t UTF-8`");
        for name in ["v.txt", "v.glove", "v.tsv"] {
            for bytes in [bytes.clone(), gzipped(&bytes)] {
                let error = read_bytes(name, bytes).unwrap_err().to_string();
                assert!(error.contains(&format!("{name}: {why}")), "{error}");
            }
        }
        for (name, words_name) in [("v.npy", "v.vocab"), ("v.tsv", "v.metadata.tsv")] {
            let mut files = files(name, &small());
            files.insert(words_name.to_owned(), bytes.clone()).unwrap();
            let error = read_files(name, &files).unwrap_err().to_string();
            assert!(error.contains(&format!("{words_name}: {why}")), "{error}");
        }
    }
}

#[test]
fn byte_order_marks_at_the_start_of_words_are_told_of() {
    let text = "\u{feff}river 0.5 0.25\n\u{feff}stone 1 2\n";
    for (name, text) in [
        ("v.glove", text.to_owned()),
        ("v.txt", format!("2 2\nbank 3 4\n{text}")),
    ] {
        let (rows, odd) = read_odd(name, &text);
        assert_eq!(rows.last(), Some(&row("\u{feff}stone", &[1.0, 2.0])));
        assert!(
            odd.contains("words kept that begin with a byte order mark: "),
            "{odd}"
        );
        let error = read_strictly(name, &text).unwrap_err().to_string();
        assert!(
            error.contains("stone\" begins with a byte order mark") || name == "v.txt",
            "{error}"
        );
    }
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    io::Write::write_all(&mut encoder, bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn packed_vectors_of_every_format_are_read_by_their_first_bytes() {
    for name in NAMES {
        let good = files(name, &small());
        let packed = |extension: &str| -> BTreeMap<_, _> {
            good.iter()
                .map(|(name, bytes)| (format!("{name}{extension}"), gzipped(bytes)))
                .collect()
        };
        let mut half_packed = good.clone();
        half_packed.insert(format!("{name}.gz"), gzipped(&good[name]));
        half_packed.remove(name);
        for (name, files) in [
            (format!("{name}.gz"), packed(".gz")),
            (name.to_owned(), packed("")),
            (format!("{name}.gz"), half_packed),
        ] {
            let read = read_files(&name, &files).unwrap();
            assert!(
                read.vocab.words().eq(small().vocab.words())
                    && bits(&read.matrix) == bits(&small().matrix),
                "{name}"
            );
        }
        let whole = gzipped(&good[name]);
        let mut cut = packed(".gz");
        cut.insert(format!("{name}.gz"), whole[..whole.len() - 9].to_vec());
        let error = read_files(&format!("{name}.gz"), &cut)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(&format!("{name}.gz: is cut short: its gzip data ends")),
            "{error}"
        );
    }
    for (name, bytes, why) in [
        (
            "v.vec.zip",
            &b"PK\x03\x04 and so on"[..],
            "is a zip archive; unpack it",
        ),
        (
            "v.npy",
            b"PK\x03\x04 and so on",
            "is a zip archive; unpack it",
        ),
        (
            "v.vec.gz",
            b"1 1\na 1\n",
            "is named as a gzip file and does not begin as one",
        ),
        (
            "v.vec",
            &[&[b'0'; 257][..], b"ustar", &[0; 250]].concat(),
            "holds a tar archive; unpack it",
        ),
    ] {
        let error = read_bytes(name, bytes).unwrap_err().to_string();
        assert!(error.contains(&format!("{name}: {why}")), "{error}");
    }
}

#[test]
fn words_that_a_format_has_no_place_for_are_left_out_when_it_is_named() {
    let text = "7 1\na 1\nb c 2\n\u{a0} 3\n\t 4\n\u{85} 5\n  6\nd 7\n";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v.txt");
    fs::write(&path, text).unwrap();
    for (extension, kept) in [
        ("txt", &["a", "\u{a0}", "d"][..]),
        ("bin", &["a", "\u{a0}", "d"]),
        ("glove", &["a", "\u{a0}", "d"]),
        ("npy", &["a", "b c", "\u{a0}", "d"]),
        ("tsv", &["a", "b c", "\u{a0}", "d"]),
        (
            "safetensors",
            &["a", "b c", "\u{a0}", "\t", "\u{85}", " ", "d"],
        ),
    ] {
        let format = Format::from_extension(extension).unwrap();
        let loaded = Reading {
            fit: Some(format),
            ..Reading::default()
        }
        .read(&path, &mut |_, _| ())
        .unwrap();
        let Vectors { vocab, matrix, .. } = &loaded.vectors;
        assert_eq!(vocab.words().collect::<Vec<_>>(), kept, "{extension}");
        let told = format!(
            "rows left out whose word .{extension} has no place for: {} (first: line",
            7 - kept.len()
        );
        assert_eq!(
            loaded.odd.to_string().contains(&told),
            kept.len() < 7,
            "{}",
            loaded.odd
        );
        // All other rows are written, and read back unchanged.
        let back = read_files(
            &format!("v.{extension}"),
            &files(&format!("v.{extension}"), &loaded.vectors),
        )
        .unwrap();
        assert!(
            back.vocab.words().eq(vocab.words()) && back.matrix == *matrix,
            "{extension}"
        );
    }
}

#[test]
fn a_row_that_would_not_read_back_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    for name in NAMES {
        let path = folder.path().join(name);
        fs::write(&path, "old").unwrap();
        let format = Format::from_path(&path).unwrap();
        for (word, why) in [
            ("", "no word"),
            ("a b", "the word \"a b\" holds the whitespace ' '"),
            ("\u{1b}[2J", "the control character '\\u{1b}'"),
            ("a\nb", "the control character '\\n'"),
        ] {
            if !format.fits(word) {
                let vectors = vectors(&[word], 1, &[1.0]);
                let error = write(&path, &vectors.vocab, &vectors.matrix)
                    .unwrap_err()
                    .to_string();
                let no_place = format!("; .{} has no place for it", format.extensions()[0]);
                assert!(
                    error.contains(name) && error.contains(why) && error.ends_with(&no_place),
                    "{error}"
                );
            }
        }
        for (word, value, why) in [
            ("a", f32::NAN, "the vector of \"a\" holds NaN"),
            ("a", f32::NEG_INFINITY, "holds -inf"),
        ] {
            let vectors = vectors(&[word], 1, &[value]);
            let error = write(&path, &vectors.vocab, &vectors.matrix)
                .unwrap_err()
                .to_string();
            assert!(error.contains(name) && error.contains(why), "{error}");
        }
        let error = write(&path, &Vocab::default(), &Matrix::zeros(0, 1))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(name) && error.contains("no words to write"),
            "{error}"
        );
        assert_eq!(fs::read(&path).unwrap(), b"old");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), NAMES.len());
}

#[test]
fn f16_is_refused_where_it_has_no_place_or_is_too_small() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, value| {
        let path = folder.path().join(name);
        let vectors = vectors(&["a", "b"], 1, &[1.0, value]);
        let table = VectorTable {
            dtype: Dtype::F16,
            ..VectorTable::new(&vectors.vocab, &vectors.matrix)
        };
        Format::from_path(&path)
            .unwrap()
            .write(&path, &table, &mut |_, _| ())
    };
    for name in ["v.txt", "v.bin", "v.glove", "v.tsv"] {
        let error = write(name, 1.0).unwrap_err();
        assert!(matches!(
            error,
            Error::Setting {
                setting: "dtype",
                ..
            }
        ));
        let error = error.to_string();
        assert!(
            error.contains(".npy") && error.contains(".safetensors") && error.contains(&name[1..]),
            "{error}"
        );
    }
    for name in ["v.npy", "v.safetensors"] {
        write(name, -65519.0).unwrap();
        assert_eq!(
            read(&folder.path().join(name)).unwrap().matrix.values(),
            [1.0, -65504.0]
        );
        let error = write(name, -65520.0).unwrap_err().to_string();
        assert!(
            error.contains("the vector of \"b\" holds -65520, beyond the ±65504 of f16"),
            "{error}"
        );
    }
}

#[test]
fn only_the_first_rows_are_written_when_asked() {
    let small = small();
    let folder = tempfile::tempdir().unwrap();
    for name in NAMES {
        let path = folder.path().join(name);
        let table = VectorTable {
            rows: 1,
            ..VectorTable::new(&small.vocab, &small.matrix)
        };
        Format::from_path(&path)
            .unwrap()
            .write(&path, &table, &mut |_, _| ())
            .unwrap();
        let back = read(&path).unwrap();
        assert!(back.vocab.words().eq(["a"]), "{name}");
        assert_eq!(back.matrix.values(), [1.0, -2.0], "{name}");
    }
}

#[test]
fn a_row_of_text_has_the_fewest_digits() {
    let vectors = vectors(&["é"], 5, &[1.0, -0.0, 0.1, -2.5e-7, 16777216.0]);
    let file = |name: &str| String::from_utf8(files(name, &vectors)[name].clone()).unwrap();
    assert_eq!(file("v.txt"), "1 5\né 1 -0 0.1 -0.00000025 16777216\n");
    assert_eq!(file("v.glove"), "é 1 -0 0.1 -0.00000025 16777216\n");
    assert_eq!(file("v.tsv"), "1\t-0\t0.1\t-0.00000025\t16777216\n");
}

#[test]
fn a_binary_row_is_word_space_values_newline() {
    let bytes = &files("v.bin", &vectors(&["é"], 2, &[1.0, -2.0]))["v.bin"];
    assert_eq!(bytes, b"1 2\n\xc3\xa9 \0\0\x80\x3f\0\0\0\xc0\n");
}

#[test]
fn words_are_lines_beside_values() {
    let mut vectors = small();
    assert_eq!(files("v.npy", &vectors)["v.vocab"], "a\né\n".as_bytes());
    vectors.vocab = Vocab::from_words([("a", 7), ("é", 0)]).unwrap();
    assert_eq!(files("v.npy", &vectors)["v.vocab"], "a 7\né\n".as_bytes());
    assert_eq!(
        files("v.tsv", &vectors)["v.metadata.tsv"],
        "a\né\n".as_bytes()
    );
}

#[test]
fn safetensors_are_the_same_bytes_every_time_and_the_crate_reads_them() {
    let mut vectors = small();
    vectors.vocab = Vocab::from_words([("a\"", 7), ("é", 0)]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v.safetensors");
    let table = VectorTable {
        configuration: Some("{\"dim\":2}"),
        ..VectorTable::new(&vectors.vocab, &vectors.matrix)
    };
    let write = || {
        Format::from_path(&path)
            .unwrap()
            .write(&path, &table, &mut |_, _| ())
            .unwrap();
        fs::read(&path).unwrap()
    };
    let bytes = write();
    assert_eq!(bytes, write());
    let (header, metadata) = ::safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    assert_eq!(header % 8, 0);
    let texts = metadata.metadata().as_ref().unwrap();
    assert_eq!(texts["words"], "[\"a\\\"\",\"é\"]");
    assert_eq!(texts["counts"], "[7,0]");
    assert_eq!(texts["configuration"], "{\"dim\":2}");
    let tensors = ::safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let tensor = tensors.tensor("vectors").unwrap();
    assert_eq!(tensor.shape(), [2, 2]);
    let values: Vec<f32> = tensor
        .data()
        .as_chunks()
        .0
        .iter()
        .map(|bytes| f32::from_le_bytes(*bytes))
        .collect();
    assert_eq!(values, vectors.matrix.values());
}

#[test]
fn text_is_read_with_every_peer_s_white_space() {
    for rows in [
        "a 1 -2 3e-1\nb 0 +0.5 1E2\n",
        "a 1 -2 3e-1\r\nb 0 +0.5 1E2\r\n",
        "a 1 -2 3e-1 \nb 0 +0.5 1E2 \n",
        "a\t1\t-2\t.3\nb 0  0.50 100.",
        "a 1 -2 3e-1\nb 0 +0.5 1E2\n\n \r\n",
    ] {
        let tsv = rows.replace("a ", "").replace("a\t", "").replace("b ", "");
        for (name, text) in [
            ("v.txt", format!("2 3 \n{rows}")),
            ("v.glove", rows.to_owned()),
            ("v.tsv", tsv),
        ] {
            let vectors = read_bytes(name, &text).unwrap();
            assert!(vectors.vocab.words().eq(["a", "b"]), "{text:?}");
            assert_eq!(
                vectors.matrix.values(),
                [1.0, -2.0, 0.3, 0.0, 0.5, 100.0],
                "{text:?}"
            );
        }
    }
}

#[test]
fn a_file_without_a_header_says_what_to_do() {
    let hint = "add `from = glove` (`no_header` does it, too, for convert)";
    for row in ["the 0.1 -2e-3", ". . 0.1 -2e-3", "the 1"] {
        let error = read_bytes("v.txt", format!("{row}\nof 1 2\n"))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("line 1: expected the header") && error.contains(hint),
            "{error}"
        );
    }
    let error = read_bytes("v.txt", "not such a file\n")
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("line 1: expected the header") && !error.contains(hint),
        "{error}"
    );
    let lines = read_bytes("v.txt", "2 2\rriver 1 2\rstone 3 4")
        .unwrap_err()
        .to_string();
    assert!(
        lines.contains("carriage returns") && !lines.contains(hint),
        "{lines}"
    );
    assert_eq!(
        read_bytes("v.glove", " 1 2\nriver 1 2\n")
            .unwrap()
            .vocab
            .words()
            .collect::<Vec<_>>(),
        ["river"]
    );
    let error = read_bytes("v.glove", "2 3\na 1 2 3\n")
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("line 1: this is the header of word2vec text; name the file .txt"),
        "{error}"
    );
}

#[test]
fn a_header_that_is_wrong_says_how_the_rows_are_had() {
    let rows = "river 1 2\nstone 3 4\nbrook 5 6\n";
    for header in [
        "3 4",
        "2 3",
        "0 2",
        "0 0",
        "99999999999 2",
        "2 2 # model",
        "",
        "2,2",
        "2.0 2",
    ] {
        let error = read_bytes("v.txt", format!("{header}\n{rows}"))
            .unwrap_err()
            .to_string();
        let mend = "`tail -n +2 FILE | w2v-gpu convert - OUT --from glove`";
        assert!(
            error.contains("v.txt: line 1: ") && error.ends_with(mend),
            "{error}"
        );
    }
    let error = read_bytes("v.txt", format!("# a model\n3 2\n{rows}"))
        .unwrap_err()
        .to_string();
    assert!(
        error.ends_with("w2v-gpu convert - OUT --from txt`"),
        "{error}"
    );
}

#[test]
fn text_is_told_from_binary_and_binary_from_text() {
    let text = "3 2\nriver 1 2\nnew york 3 4\nbrook 5 6\n";
    refused(
        "v.bin",
        text,
        "byte 0: this is word2vec text; name it .txt, or add `from = txt`",
    );
    let error = read_bytes(
        "v.txt",
        binary("2 2", &[("a", &[1.5, 2.5]), ("b", &[3.0, 4.0])], "\n"),
    )
    .unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("; if this is word2vec binary, add `from = bin`"),
        "{error}"
    );
}

/// Garbage may follow the last promised row, and no row of it is offered.
#[test]
fn no_more_rows_of_a_binary_are_offered_than_it_promises() {
    let rows: [(&str, &[f32]); 4] = [("a", &[1.0]), ("a", &[1.0]), ("b", &[2.0]), ("c", &[3.0])];
    let bytes = [binary("3 1", &rows, "\n"), b"garbage".to_vec()].concat();
    let error = read_bytes("v.bin", bytes).unwrap_err().to_string();
    assert!(
        error.contains(
            "after the 3 words that its header promises; `w2v-gpu convert` with `top = 2` "
        ),
        "{error}"
    );
}

#[test]
fn broken_text_is_refused_with_its_line() {
    let refused = |text: &str, why: &str| refused("v.txt", text, why);
    refused(
        "2 3\na 1 2 3",
        "line 3: the file ends after 1 of the 2 words that its header promises; it was cut short, \
         or its header is wrong; the last line may be cut, as nothing ends it",
    );
    refused(
        "4 1\na 1\nb 2\nc 3",
        "line 5: the file ends after 3 of the 4 words that its header promises; it was cut short, \
         or its header is wrong; `w2v-gpu convert` with `top = 2` takes the rows before it; the \
         last line may",
    );
    refused("2 3\n", "line 2: the file ends after 0 of the 2 words");
    refused(
        "2 3\na 1 2 3\nb 1 2",
        "line 3: \"b\" has 2 values, but the header says 3",
    );
    refused(
        "2 3\na 1 2 3\n1 2 3\n",
        "line 3: \"1\" has 2 values, but the header says 3",
    );
    refused(
        "2 3\nnew york 1 2\nb 1 2 3",
        "line 2: value 1 is \"york\", not a number",
    );
    refused(
        "2 3\na 1 2 3 4\nb 1 2 3 4",
        "line 1: the header says 3 dimensions, but the rows have 4; mend it",
    );
    refused("2 3\na\nb 1 2 3", "line 2: \"a\" has no values");
    refused("0 3\n", "line 1: the header says 0 words");
    refused(
        "3 3\n 1 2 3\n\n",
        "line 4: no row has a word that can be taken",
    );
}

#[test]
fn broken_glove_is_refused_with_its_line() {
    let refused = |text: &str, why: &str| refused("v.glove", text, why);
    refused("", "line 1: the file holds no words");
    refused("\n", "line 1: the file holds no words");
    refused("a\nb 1\n", "line 1: \"a\" has no values");
    refused("a\nb\n", "line 1: \"a\" has no values");
    refused(
        "a 1 2\nb 1\n",
        "line 2: \"b\" has 1 value, but most rows have 2",
    );
    refused(
        "a 1\nb 1 2\nc 1 2\n",
        "line 1: \"a\" has 1 value, but most rows have 2",
    );
    refused("a 1 2\n. 1 . 2\n", "line 2: value 1 is \".\", not a number");
}

#[test]
fn broken_rows_of_words_and_values_are_refused() {
    for (name, before, line) in [("v.txt", "2 3\n", 1), ("v.glove", "x 1 2 3\ny 1 2 3\n", 2)] {
        let refused = |text: &[u8], line_in_rows: u64, why: &str| {
            refused(
                name,
                [before.as_bytes(), text].concat(),
                &format!("line {}: {why}", line + line_in_rows),
            );
        };
        refused(b"a 1 NaN 3\n", 1, "value 2 is \"NaN\", not a finite");
        refused(b"a 1 2 -inf\n", 1, "value 3 is \"-inf\", not a finite");
        refused(b"a 1e39 2 3\n", 1, "value 1 is \"1e39\", not a finite");
        refused(
            b"a 1 two 3\n",
            1,
            &format!(
                "value 2 is \"two\", not a number; `sed {}d` takes the line out",
                line + 1
            ),
        );
        refused(b"a 1 2\r3 4\n", 1, "value 2 is \"2\\r3\", not a number");
        refused(
            b"a 1 2 \xff\n",
            1,
            "value 3 is \"\u{fffd}\", not a number; if this is word2vec binary, add `from = bin`",
        );
    }
}

#[test]
fn a_line_without_end_is_refused() {
    let endless = vec![b'1'; 1 << 25];
    for name in ["v.txt", "v.glove", "v.tsv"] {
        refused(name, &endless, "line 1: longer than");
    }
    refused(
        "v.txt",
        [b"1 1\na ", &*endless].concat(),
        "line 2: longer than",
    );
}

#[test]
fn a_wrong_header_is_refused_at_once() {
    for (name, place) in [("v.txt", "line 1"), ("v.bin", "byte 0")] {
        for header in [
            "",
            "\n",
            "2",
            "2 3 4",
            "a 3",
            "-1 3",
            "2 3.0",
            "\u{a0}2 3",
            "99999999999999999999999 1",
        ] {
            refused(
                name,
                format!("{header}\na 1 2 3\n"),
                &format!("{place}: expected the header"),
            );
        }
        let refused = |header: &str, why: &str| {
            refused(
                name,
                format!("{header}\na 1 2 3\n"),
                &format!("{place}: {why}"),
            )
        };
        refused("2 0", "the header says 0 dimensions");
        refused("0 2", "the header says 0 words");
        refused(
            "1152921504606846976 3",
            "the header says 1,152,921,504,606,846,976 words, more than the 2,147,483,648",
        );
        assert!(matches!(
            read_bytes(name, "2147483648 1152921504606846976\na 1 2\n"),
            Err(Error::Format { .. })
        ));
    }
}

/// A word2vec binary with this header and these rows; `end` follows every row.
fn binary(header: &str, rows: &[(&str, &[f32])], end: &str) -> Vec<u8> {
    let mut bytes = format!("{header}\n").into_bytes();
    for (word, row) in rows {
        bytes.extend_from_slice(format!("{word} ").as_bytes());
        Dtype::F32.push(row, &mut bytes);
        bytes.extend_from_slice(end.as_bytes());
    }
    bytes
}

#[test]
fn reads_binary_rows_with_and_without_a_newline() {
    // The first bytes of 1.4e-44 are 0x0A, and those of 1.2e-41 are spaces. Both belong to the
    // values.
    let (newline, space) = (f32::from_bits(0x0a), f32::from_bits(0x2020));
    let rows: [(&str, &[f32]); 2] = [("a", &[newline, -0.0]), ("b", &[space, 3.5])];
    for end in ["\n", "", "\n\n"] {
        let vectors = read_bytes("v.bin", binary("2 2", &rows, end)).unwrap();
        assert!(vectors.vocab.words().eq(["a", "b"]), "{end:?}");
        assert_eq!(
            bits(&vectors.matrix),
            [0x0a, 0x8000_0000, 0x2020, 3.5f32.to_bits()],
            "{end:?}"
        );
    }
}

#[test]
fn a_row_longer_than_a_piece_is_read_whole() {
    let values: Vec<f32> = (0..5000).map(|value| value as f32).collect();
    for name in NAMES {
        let files = files(name, &vectors(&["a"], 5000, &values));
        assert_eq!(
            read_files(name, &files).unwrap().matrix.values(),
            values,
            "{name}"
        );
    }
}

#[test]
fn broken_binaries_are_refused_with_their_byte() {
    let refused = |bytes: &[u8], why: &str| refused("v.bin", bytes, why);
    let good = binary("2 2", &[("a", &[1.0, 2.0]), ("b", &[3.0, 4.0])], "\n");
    // The header has 4 bytes and each row 11: "a " is at 4, its values at 6, "b " at 15, its values
    // at 17, and the end at 26.
    assert!(read_bytes("v.bin", &good[..25]).is_ok());
    refused(
        &good[..24],
        "byte 17: in the vector of \"b\" the file ends after 1 of the 2 words",
    );
    refused(&good[..16], "byte 15: the file ends after 1 of the 2 words");
    refused(
        &good[..6],
        "byte 6: in the vector of \"a\" the file ends after 0 of the 2 words",
    );
    let mend =
        "that its header promises; `w2v-gpu convert` with `top = 2` takes the rows before it";
    refused(
        &[&good[..], b"c"].concat(),
        &format!("byte 26: the file goes on after the 2 words {mend}"),
    );

    refused(
        &binary("1 2", &[("a", &[1.0, f32::NAN])], "\n"),
        "byte 10: the vector of \"a\" holds NaN",
    );
    refused(
        &binary("1 2", &[("a", &[f32::INFINITY, 1.0])], "\n"),
        "byte 6: the vector of \"a\" holds inf",
    );
    refused(
        &[b"1 1\n", &*vec![b'a'; 1 << 20]].concat(),
        "byte 4: no space within 65536 bytes",
    );
    refused(&vec![b'1'; 1 << 20], "byte 0: expected the header");
}

#[test]
fn broken_arrays_are_refused_with_their_byte() {
    let refused = |bytes: &[u8], why: &str| refused("v.npy", bytes, why);
    let good = &files("v.npy", &vectors(&["a", "b"], 2, &[1.0, 2.0, 3.0, 4.0]))["v.npy"];
    assert_eq!(good.len(), 128 + 16);
    refused(b"", "byte 0: this is no .npy file");
    refused(&good[..6], "byte 0: the file ends within its header");
    refused(&good[..9], "byte 0: the file ends within its header");
    refused(&good[..127], "byte 0: the file ends within its header");
    refused(
        &good[..128],
        "byte 128: the header says 2 rows of 2 values of 4 bytes, and the rest of the file is 0 \
         bytes",
    );
    refused(
        &good[..143],
        "byte 128: the header says 2 rows of 2 values of 4 bytes, and the rest of the file is 15 \
         bytes",
    );
    refused(
        &[good, &b"!"[..]].concat(),
        "byte 128: the header says 2 rows of 2 values of 4 bytes, and the rest of the file is 17 \
         bytes",
    );
    let changed = |from: &str, to: &str| {
        assert_eq!(from.len(), to.len());
        let at = good
            .windows(from.len())
            .position(|part| part == from.as_bytes())
            .unwrap();
        [&good[..at], to.as_bytes(), &good[at + from.len()..]].concat()
    };
    refused(&changed("<f4", ">f4"), "byte 0: values of type \">f4\"");
    refused(
        &changed("<f4", "<f8"),
        "byte 0: values of type \"<f8\"; take \"<f4\" or \"<f2\"",
    );
    refused(
        &changed("False", "True "),
        "byte 0: the array lies in Fortran order",
    );
    refused(&changed("(2, 2), }", "(4,)   , "), "byte 0: expected descr");
    refused(
        &changed("(2, 2), ", "(3, 2), "),
        "byte 0: the header says 3 rows, but ",
    );
    refused(
        &changed("(2, 2), }           ", "(2, 99999999999999)}"),
        "byte 128: the header says 2 rows of 99,999,999,999,999 values of 4 bytes, and the rest of \
         the file is 16 bytes",
    );
    refused(
        &changed("(2, 2), }                ", "(1152921504606846976, 2)}"),
        "byte 0: the header says 1,152,921,504,606,846,976 rows",
    );
    refused(
        &[&b"\x93NUMPY\x02\0\xff\xff\xff\xff"[..], &good[10..]].concat(),
        "byte 0: a header of 4294967295 bytes",
    );
    refused(
        &[&b"\x93NUMPY\x09\0"[..], &good[8..]].concat(),
        "byte 0: version 9",
    );
    refused(
        &[&good[..136], &f32::NAN.to_le_bytes(), &good[140..]].concat(),
        "byte 136: the vector of \"b\" holds NaN",
    );
    let second = [
        &b"\x93NUMPY\x02\0\x74\0\0\0"[..],
        &good[10..126],
        &good[128..],
    ]
    .concat();
    assert_eq!(
        read_bytes("v.npy", second).unwrap().matrix.values(),
        [1.0, 2.0, 3.0, 4.0]
    );
}

#[test]
fn broken_safetensors_are_refused_with_their_byte() {
    let file = |metadata: &str, shape: &str, dtype: &str, bytes: usize| {
        let header = format!(
            "{{\"__metadata__\":{{{metadata}}},\
             \"vectors\":{{\"dtype\":\"{dtype}\",\"shape\":{shape},\"data_offsets\":[0,{bytes}]}}}}"
        );
        [
            &(header.len() as u64).to_le_bytes(),
            header.as_bytes(),
            &vec![0; bytes],
        ]
        .concat()
    };
    let refused = |bytes: &[u8], why: &str| refused("v.safetensors", bytes, why);
    let words = r#""words":"[\"a\",\"b\"]""#;
    let good = file(words, "[2,3]", "F32", 24);
    let start = good.len() - 24;
    assert!(read_bytes("v.safetensors", &good).is_ok());
    refused(b"", "byte 0: the file ends before the length of its header");
    refused(
        &good[..7],
        "byte 0: the file ends before the length of its header",
    );
    refused(&good[..50], "byte 8: the file ends within its header");
    refused(
        &good[..start + 23],
        &format!(
            "byte {start}: the header says 2 rows of 3 values of 4 bytes, and the rest of the file \
             is 23 bytes"
        ),
    );
    refused(
        &[&good[..], b"!"].concat(),
        &format!(
            "byte {start}: the header says 2 rows of 3 values of 4 bytes, and the rest of the file \
             is 25 bytes"
        ),
    );
    refused(
        &[&[0xff; 8], &good[8..]].concat(),
        "byte 0: a header of 18446744073709551615 bytes",
    );
    refused(
        &[&good[..start + 20], &f32::INFINITY.to_le_bytes()].concat(),
        &format!("byte {}: the vector", start + 20),
    );
    refused(
        &[&5u64.to_le_bytes()[..], b"{\"a\":"].concat(),
        "byte 8: the header: ",
    );
    refused(
        &[&2u64.to_le_bytes()[..], b"{}"].concat(),
        "byte 8: expected one tensor, \"vectors\"",
    );
    refused(
        &file(words, "[2,3]", "I32", 24),
        "byte 8: the tensor \"vectors\" is of type I32",
    );
    refused(&file(words, "[2,3]", "F32", 28), "byte 8: the header: ");
    refused(
        &file(words, "[1152921504606846976,64]", "F32", 24),
        "byte 8: the header: ",
    );
    refused(
        &file(words, "[6]", "F32", 24),
        "byte 8: the shape of \"vectors\" is [6]",
    );
    refused(
        &file(words, "[2,0]", "F32", 0),
        "byte 8: the shape of \"vectors\" is [2, 0]",
    );
    refused(
        &file(words, "[0,2]", "F32", 0),
        "byte 8: the shape of \"vectors\" is [0, 2]",
    );
    refused(
        &file("", "[2,3]", "F32", 24),
        "byte 8: the metadata lack \"words\"",
    );
    refused(
        &file(r#""words":"a b""#, "[2,3]", "F32", 24),
        "byte 8: the metadata's \"words\" are no such JSON array",
    );
    refused(
        &file(words, "[3,2]", "F32", 24),
        "byte 8: the tensor has 3 rows, the metadata 2 words and 2 counts",
    );
    let counts = format!("{words},\"counts\":\"[1]\"");
    refused(
        &file(&counts, "[2,3]", "F32", 24),
        "byte 8: the tensor has 2 rows, the metadata 2 words and 1 count",
    );
    let counts = format!("{words},\"counts\":\"[1,-1]\"");
    refused(
        &file(&counts, "[2,3]", "F32", 24),
        "byte 8: the metadata's \"counts\" are no such JSON array",
    );
    for (word, why) in [
        ("a", "is there a second time"),
        (" ", "holds the whitespace"),
        ("", "no word"),
    ] {
        let words = format!(r#""words":"[\"a\",\"{word}\"]""#);
        let error = read_strictly("v.safetensors", file(&words, "[2,3]", "F32", 24))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("byte 8: word 2: ") && error.contains(why),
            "{error}"
        );
        let (rows, odd) = read_odd("v.safetensors", file(&words, "[2,3]", "F32", 24));
        assert_eq!(rows.len(), if word == " " { 2 } else { 1 });
        assert!(
            odd.ends_with(&format!(": 1 (first: word 2, {word:?})")),
            "{odd}"
        );
    }
}

#[test]
fn a_tensor_beside_the_vectors_is_not_dropped_in_silence() {
    let header = "{\"vectors\":{\"dtype\":\"F32\",\"shape\":[1,1],\"data_offsets\":[0,4]},\
                  \"other\":{\"dtype\":\"F32\",\"shape\":[1,1],\"data_offsets\":[4,8]}}";
    let bytes = [
        &(header.len() as u64).to_le_bytes(),
        header.as_bytes(),
        &[0; 8],
    ]
    .concat();
    refused(
        "v.safetensors",
        bytes,
        "byte 8: expected one tensor, \"vectors\", and found \"vectors, other\"",
    );
}

#[test]
fn the_vectors_of_a_whole_model_are_read() {
    let model = |bytes: usize| {
        let header = "{\"__metadata__\":{\"words\":\"[\\\"a\\\",\\\"b\\\"]\"},\
                      \"vectors\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[0,8]},\
                      \"output\":{\"dtype\":\"F32\",\"shape\":[3,1],\"data_offsets\":[8,20]}}";
        let values = [1.0f32.to_le_bytes(), 2.0f32.to_le_bytes()].concat();
        let rest = vec![7; bytes];
        let length = (header.len() as u64).to_le_bytes();
        [&length, header.as_bytes(), &values, &rest].concat()
    };
    let read = read_bytes("v.safetensors", model(12)).unwrap();
    assert_eq!(read.matrix.values(), [1.0, 2.0]);
    // The number of bytes is known beforehand for a plain file, and found out for a packed one.
    refused(
        "v.safetensors",
        model(11),
        "byte 172: the header says that both tensors take 20 bytes, and the rest of the file is 19",
    );
    let packed = zstd::encode_all(&model(11)[..], 1).unwrap();
    refused(
        "v.safetensors",
        packed,
        "byte 191: the file ends within the tensor \"output\"",
    );
}

#[test]
fn broken_tables_are_refused_with_their_line() {
    let refused = |text: &[u8], why: &str| refused("v.tsv", text, why);
    refused(b"1\t2\n", "line 2: the file ends after 1 row, but ");
    refused(b"", "line 1: the file ends after 0 rows, but ");
    refused(b"1\t2\n3\t4\n5\t6\n", "line 3: row 3, but ");
    refused(
        b"1\t2\n3\n",
        "line 2: 1 value, of \"b\"; the first row has 2",
    );
    refused(b"\n1\t2\n", "line 1: 0 values, of \"a\"");
    refused(
        b"1\t2\n3\tNaN\n",
        "line 2: value 2 is \"NaN\", not a finite",
    );
    refused(b"1\t2\n3\tx\n", "line 2: value 2 is \"x\", not a number");
    refused(
        b"1\t2\n3\t\xff\n",
        "line 2: value 2 is \"\u{fffd}\", not a number",
    );
}

#[test]
fn broken_words_beside_values_are_refused_with_their_line() {
    let good = vectors(&["a", "b"], 2, &[1.0, 2.0, 3.0, 4.0]);
    for (name, words_name) in [("v.npy", "v.vocab"), ("v.tsv", "v.metadata.tsv")] {
        let read = |words: &[u8]| {
            let mut files = files(name, &good);
            files.insert(words_name.to_owned(), words.to_vec()).unwrap();
            read_files(name, &files)
        };
        let refused = |words: &[u8], why: &str| assert_refused(read(words), words_name, why);
        refused(b"", "line 1: the file holds no words");
        refused(b"\n\n", "line 3: the file holds no words");
        for words in ["a\n", "a\nb\nc\n", "a\nb\n\nc\n", "a\na\na\n"] {
            let error = read(words.as_bytes()).unwrap_err().to_string();
            let words = plural(words.lines().count() as u64, "word");
            assert!(
                error.contains(name) && error.contains(&format!("{words_name} ")),
                "{error}"
            );
            assert!(error.contains(&words), "{error}");
        }
        assert!(read(b"a\r\nb\r\n\n").unwrap().vocab.words().eq(["a", "b"]));
        let mut files = files(name, &good);
        files.remove(words_name);
        let error = read_files(name, &files).unwrap_err().to_string();
        assert!(
            error.contains("cannot open") && error.contains(words_name),
            "{error}"
        );
    }
    let read = |words: &str| {
        let mut files = files("v.npy", &good);
        files.insert("v.vocab".to_owned(), words.as_bytes().to_vec());
        read_files("v.npy", &files)
    };
    assert_eq!(
        read("a\t5\nb 18446744073709551615 \n")
            .unwrap()
            .vocab
            .counts(),
        [5, u64::MAX]
    );
    assert_eq!(
        read("a b 5\nb c\n")
            .unwrap()
            .vocab
            .words()
            .collect::<Vec<_>>(),
        ["a b", "b c"]
    );
    for line in ["b -1", "b 18446744073709551616", "b 1.0"] {
        let error = read(&format!("a 5\n{line}\n")).unwrap_err().to_string();
        assert!(error.contains("v.vocab: line 2: "), "{error}");
    }
}
