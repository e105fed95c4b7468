//! Text encodings: finds out whether a text is UTF-8 or UTF-16, and decodes UTF-16.
//!
//! UTF-16 is the "Unicode" that programs on Windows write. A byte order mark at the start of a file
//! names the encoding. UTF-16 without a mark is recognised by its zero bytes, which text in UTF-8
//! does not have.

use std::io::{self, BufRead, BufReader, Cursor, Read};

use super::packed::{BYTE_ORDER_MARK, Packing};

/// The byte order mark. It opens a text, so it also turns up in the middle where texts were joined.
pub(crate) const MARK: char = '\u{feff}';

/// How many bytes at the start of a text are examined to find its encoding; an even number.
const SAMPLE_BYTES: usize = 1 << 14;

/// How many bytes of UTF-16 are decoded at a time; an even number.
const PIECE_BYTES: usize = 1 << 16;

/// A shorter text, in bytes, counts as UTF-16 or UTF-32 only if it has a byte order mark.
const LEAST_BYTES: usize = 8;

/// A byte that never occurs in UTF-8. It replaces each unit of UTF-16 that is no character, so that
/// the tokenizer counts it as a broken byte.
const BROKEN: u8 = 0xff;

/// An encoding that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Utf8,
    Utf16(ByteOrder),
}

/// Which byte of a UTF-16 unit comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ByteOrder {
    Little,
    Big,
}

impl ByteOrder {
    fn unit(self, bytes: [u8; 2]) -> u16 {
        match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        }
    }
}

impl Encoding {
    /// Finds the encoding of a text from its first bytes.
    ///
    /// # Errors
    /// A sentence for the user when the text is UTF-32.
    pub(crate) fn of(start: &[u8]) -> Result<Self, String> {
        let start = &start[..start.len().min(SAMPLE_BYTES)];
        let orders = [ByteOrder::Little, ByteOrder::Big];
        match start {
            _ if is_utf32(start) => Err(
                "UTF-32 text is not read; convert it with `iconv -f UTF-32 -t UTF-8 FILE`"
                    .to_owned(),
            ),
            [0xff, 0xfe, ..] => Ok(Self::Utf16(ByteOrder::Little)),
            [0xfe, 0xff, ..] => Ok(Self::Utf16(ByteOrder::Big)),
            _ if start.len() < LEAST_BYTES || !start.contains(&0) => Ok(Self::Utf8),
            _ => {
                let found = orders
                    .into_iter()
                    .filter_map(|order| Some((blanks_of_utf16(start, order)?, order)));
                Ok(found
                    .max_by_key(|&(blanks, _)| blanks)
                    .map_or(Self::Utf8, |(_, order)| Self::Utf16(order)))
            }
        }
    }

    /// The bytes of this encoding's byte order mark.
    fn mark(self) -> &'static [u8] {
        match self {
            Self::Utf8 => BYTE_ORDER_MARK,
            Self::Utf16(ByteOrder::Little) => &[0xff, 0xfe],
            Self::Utf16(ByteOrder::Big) => &[0xfe, 0xff],
        }
    }
}

/// Whether bytes are UTF-32: they begin with its byte order mark, or all their 4-byte units are
/// characters other than zero in one of the two byte orders.
fn is_utf32(start: &[u8]) -> bool {
    let (units, _) = start.as_chunks::<4>();
    let is_text = |unit: u32| unit != 0 && char::from_u32(unit).is_some();
    let all = |value: fn([u8; 4]) -> u32| units.iter().all(|&unit| is_text(value(unit)));
    start.starts_with(&[0xff, 0xfe, 0, 0])
        || start.starts_with(&[0, 0, 0xfe, 0xff])
        || start.len() >= LEAST_BYTES && (all(u32::from_le_bytes) || all(u32::from_be_bytes))
}

/// Decides whether bytes that hold zeros are UTF-16 without a mark, and counts their blanks. In the
/// wrong byte order there are hardly any blanks, so the order with more of them is right.
///
/// The bytes are taken for UTF-16 when three things hold:
///
/// - Decoded, they are characters, without control characters and without private use (bytes of
///   UTF-8 would give both). One unit in a hundred may break this rule, and one unit in a shorter
///   text.
/// - There are blanks between them, or all of them are Latin (below U+0100).
/// - Read as UTF-8, at least a tenth of the bytes are broken or control characters. A text with a
///   few stray zero bytes fails here.
fn blanks_of_utf16(start: &[u8], order: ByteOrder) -> Option<usize> {
    let (units, _) = start.as_chunks::<2>();
    let mut units: Vec<u16> = units.iter().map(|&unit| order.unit(unit)).collect();
    // The sample may end in the middle of a character.
    units.pop_if(|last| (0xd800..0xdc00).contains(last));
    let is_private = |c: char| ('\u{e000}'..='\u{f8ff}').contains(&c);
    let is_text = |c: char| {
        (c.is_whitespace() || !c.is_control()) && u32::from(c) & 0xfffe != 0xfffe && !is_private(c)
    };
    let blanks = units
        .iter()
        .filter(|unit| matches!(unit, 0x20 | 0x09 | 0x0a | 0x0d))
        .count();
    let others = char::decode_utf16(units.iter().copied())
        .filter(|c| !c.as_ref().is_ok_and(|&c| is_text(c)))
        .count();
    let is_utf16 = others <= (units.len() / 100).max(1)
        && (blanks > 0 || units.iter().all(|&unit| unit < 0x100))
        && unlike_text(start) * 10 >= start.len();
    is_utf16.then_some(blanks)
}

/// Counts the bytes that a text in UTF-8 would not have: invalid ones and control characters.
fn unlike_text(bytes: &[u8]) -> usize {
    let is_control = |byte: &u8| byte.is_ascii_control() && !matches!(byte, b'\t' | b'\n' | b'\r');
    let in_part = |part: std::str::Utf8Chunk| {
        part.invalid().len() + part.valid().bytes().filter(is_control).count()
    };
    bytes.utf8_chunks().map(in_part).sum()
}

/// A reader that turns UTF-16 into UTF-8. A unit that is no character becomes [`BROKEN`].
pub(crate) struct Utf16<R> {
    inner: R,
    order: ByteOrder,
    /// Bytes not decoded yet: less than one character.
    raw: Vec<u8>,
    /// Decoded text; the bytes up to `at` were handed out.
    text: Vec<u8>,
    at: usize,
}

impl<R: Read> Utf16<R> {
    pub(crate) fn new(inner: R, order: ByteOrder) -> Self {
        Self {
            inner,
            order,
            raw: Vec::new(),
            text: Vec::new(),
            at: 0,
        }
    }

    /// Decodes the next piece over the text that was handed out.
    fn refill(&mut self) -> io::Result<()> {
        let is_end = self
            .inner
            .by_ref()
            .take(PIECE_BYTES as u64)
            .read_to_end(&mut self.raw)?
            < PIECE_BYTES;
        let (units, odd) = self.raw.as_chunks::<2>();
        let mut units: Vec<u16> = units.iter().map(|&unit| self.order.unit(unit)).collect();
        let is_begun = !is_end
            && units
                .pop_if(|last| (0xd800..0xdc00).contains(last))
                .is_some();
        self.text.clear();
        self.at = 0;
        for c in char::decode_utf16(units) {
            match c {
                Ok(c) => self
                    .text
                    .extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
                Err(_) => self.text.push(BROKEN),
            }
        }
        if is_end {
            self.text.extend(odd.iter().map(|_| BROKEN));
        }
        let rest = if is_end {
            0
        } else {
            odd.len() + 2 * usize::from(is_begun)
        };
        self.raw.drain(..self.raw.len() - rest);
        Ok(())
    }
}

impl<R: Read> Read for Utf16<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.text.len() {
            self.refill()?;
        }
        let read = (&self.text[self.at..]).read(buffer)?;
        self.at += read;
        Ok(read)
    }
}

/// Reads a text file in UTF-8 or UTF-16 as UTF-8, without the byte order mark at its start.
///
/// ```
/// use std::io::Read;
///
/// let utf16: Vec<u8> = "\u{feff}naïve text".encode_utf16().flat_map(u16::to_le_bytes).collect();
/// let mut text = String::new();
/// w2v_gpu::text::utf8_text(&utf16[..])?.read_to_string(&mut text)?;
/// assert_eq!(text, "naïve text");
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// Any error of `raw`; [`io::ErrorKind::InvalidData`] for a text in UTF-32 and for a compressed
/// file.
pub fn utf8_text<'a>(mut raw: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let mut start = Vec::new();
    raw.by_ref()
        .take(SAMPLE_BYTES as u64)
        .read_to_end(&mut start)?;
    let invalid = |why| io::Error::new(io::ErrorKind::InvalidData, why);
    if let Some(packing) = Packing::named(&start) {
        return Err(invalid(format!(
            "it is no plain text ({packing}); unpack it first"
        )));
    }
    let encoding = Encoding::of(&start).map_err(invalid)?;
    if start.starts_with(encoding.mark()) {
        start.drain(..encoding.mark().len());
    }
    let raw = Cursor::new(start).chain(raw);
    Ok(match encoding {
        Encoding::Utf8 => Box::new(raw),
        Encoding::Utf16(order) => Box::new(Utf16::new(raw, order)),
    })
}

/// Reads lines in UTF-8 or UTF-16 as UTF-8.
///
/// The encoding is judged by the bytes that have arrived, so the first line of UTF-8 from a
/// terminal does not wait for a second one.
///
/// # Errors
/// Any error of `raw`; [`io::ErrorKind::InvalidData`] for a text in UTF-32.
pub fn utf8_lines<'a>(mut raw: impl BufRead + 'a) -> io::Result<Box<dyn BufRead + 'a>> {
    let encoding = Encoding::of(raw.fill_buf()?)
        .map_err(|why| io::Error::new(io::ErrorKind::InvalidData, why))?;
    Ok(match encoding {
        Encoding::Utf8 => Box::new(raw),
        Encoding::Utf16(order) => Box::new(BufReader::new(Utf16::new(raw, order))),
    })
}

/// Strips the byte order marks at the start of a line. Lines have them where files were joined.
pub(crate) fn unmarked(mut line: &[u8]) -> &[u8] {
    while let Some(rest) = line.strip_prefix(BYTE_ORDER_MARK) {
        line = rest;
    }
    line
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Words of many scripts. The high bytes of their units are zero, control characters, ASCII or
    /// none of these.
    const TEXTS: [&str; 10] = [
        "the old river runs under the stone bridge\n",
        "Größe und Maß\r\nder Straße\r\n",
        "привет мир и всем остальным\n",
        "नदी के ऊपर पत्थर का पुल है\n",
        "東京は日本の首都である。\n大阪も大きい。\n",
        "서울은 한국의 수도이다\n",
        "ประเทศไทย เมืองหลวง\n",
        "שלום עולם\n",
        "a 😀 face\n",
        "0 and 10 and \u{3000} 20\r\n",
    ];

    /// Converts a unit to bytes, in one of the two orders.
    type ToBytes = fn(u16) -> [u8; 2];

    const ORDERS: [(ByteOrder, ToBytes); 2] = [
        (ByteOrder::Little, u16::to_le_bytes),
        (ByteOrder::Big, u16::to_be_bytes),
    ];

    fn decoded(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        utf8_text(bytes)?.read_to_end(&mut text)?;
        Ok(text)
    }

    #[test]
    fn utf16_is_told_and_decoded_with_and_without_a_mark() {
        for text in TEXTS.map(|text| text.repeat(3)) {
            for (order, bytes) in ORDERS {
                let plain: Vec<u8> = text.encode_utf16().flat_map(bytes).collect();
                assert_eq!(Encoding::of(&plain), Ok(Encoding::Utf16(order)), "{text}");
                let marked = [&bytes(0xfeff)[..], &plain].concat();
                for utf16 in [plain, marked] {
                    assert_eq!(decoded(&utf16).unwrap(), text.as_bytes(), "{text}");
                }
            }
            assert_eq!(
                decoded(format!("{MARK}{text}").as_bytes()).unwrap(),
                text.as_bytes()
            );
        }
    }

    /// One stray control character, lone surrogate or private-use character does not hide that the
    /// rest is UTF-16.
    #[test]
    fn utf16_without_a_mark_may_hold_few_units_that_are_no_text() {
        for other in [0x00, 0x07, 0x1a, 0xd83d, 0xdc00, 0xf8ff] {
            for text in TEXTS {
                for (order, bytes) in ORDERS {
                    let units =
                        |times: usize| text.repeat(times).encode_utf16().collect::<Vec<u16>>();
                    for units in [
                        [units(2), vec![other]].concat(),
                        [units(9), vec![other], units(9)].concat(),
                    ] {
                        let utf16: Vec<u8> = units.into_iter().flat_map(bytes).collect();
                        assert_eq!(
                            Encoding::of(&utf16),
                            Ok(Encoding::Utf16(order)),
                            "{other:#x} in {text}"
                        );
                    }
                }
            }
        }
    }

    /// Zero bytes at the end of words, or anywhere in a binary file, do not make a text UTF-16.
    #[test]
    fn other_bytes_with_zeros_stay_as_they_are() {
        let numbers: Vec<u8> = (0..9000u32)
            .flat_map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes())
            .collect();
        let lists: [&[u8]; 6] = [
            b"",
            b"a\0",
            b"abc\0def\0ghi\0",
            b"./a b.txt\0./c d.txt\0",
            b"a \0line\0 or two of text, and no more of zeros\n",
            &numbers,
        ];
        for bytes in lists {
            assert_eq!(Encoding::of(bytes), Ok(Encoding::Utf8));
            assert_eq!(decoded(bytes).unwrap(), bytes);
        }
    }

    #[test]
    fn utf32_is_refused_with_what_converts_it() {
        for (mark, bytes) in [
            (true, u32::to_le_bytes as fn(u32) -> [u8; 4]),
            (false, u32::to_be_bytes),
        ] {
            for text in TEXTS {
                let units = mark
                    .then_some(0xfeff)
                    .into_iter()
                    .chain(text.chars().map(u32::from));
                let error = decoded(&units.flat_map(bytes).collect::<Vec<_>>())
                    .unwrap_err()
                    .to_string();
                assert!(error.contains("iconv -f UTF-32 -t UTF-8"), "{error}");
            }
        }
    }

    #[test]
    fn what_is_packed_is_told_with_what_packed_it() {
        let packed: [(&[u8], &str); 3] = [
            (b"\x1f\x8b\x08\0\0\0\0\0", "gzip"),
            (b"\x28\xb5\x2f\xfd\x04", "zstd"),
            (b"PK\x03\x04", "zip"),
        ];
        for (bytes, name) in packed {
            let error = decoded(bytes).unwrap_err().to_string();
            assert!(
                error.contains(name) && error.contains("unpack it first"),
                "{error}"
            );
        }
        assert_eq!(decoded(b"PKs and BZh 9").unwrap(), b"PKs and BZh 9");
    }

    #[test]
    fn what_is_no_character_is_a_broken_byte() {
        let cut = [0xff, 0xfe, b'a', 0, 0x3d, 0xd8, b'b', 0, 0x3d, 0xd8];
        assert_eq!(decoded(&cut).unwrap(), b"a\xffb\xff");
        assert_eq!(decoded(&cut[..7]).unwrap(), b"a\xff\xff");
    }

    #[test]
    fn a_line_loses_the_marks_at_its_start() {
        assert_eq!(
            unmarked("\u{feff}\u{feff}a\u{feff}".as_bytes()),
            "a\u{feff}".as_bytes()
        );
        assert_eq!(unmarked(b""), b"");
    }

    proptest! {
        /// Decoding piece by piece gives the same text wherever the pieces end.
        #[test]
        fn pieces_are_decoded_as_the_whole(before in 0usize..5, text in "[a\u{e9}\u{6771}\u{1f600} \
                                                                         ]{0,9}") {
            let text = "x".repeat(PIECE_BYTES / 2 - before) + &text + &"y".repeat(PIECE_BYTES);
            for (_, bytes) in ORDERS {
                let utf16: Vec<u8> = std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(bytes).collect();
                prop_assert!(decoded(&utf16).unwrap() == text.as_bytes());
            }
        }
    }
}
