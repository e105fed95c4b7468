//! Packed files.

use std::io::Write;

pub(crate) type Pack = fn(&[u8]) -> Vec<u8>;

/// Every packing, with its extension.
pub(crate) const PACKS: [(&str, Pack); 4] =
    [("gz", gzip), ("zst", zstd), ("bz2", bzip2), ("xz", xz)];

pub(crate) fn gzip(text: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(text).unwrap();
    out.finish().unwrap()
}

pub(crate) fn zstd(text: &[u8]) -> Vec<u8> {
    let mut out = zstd::Encoder::new(Vec::new(), 1).unwrap();
    out.include_checksum(true).unwrap();
    out.write_all(text).unwrap();
    out.finish().unwrap()
}

pub(crate) fn bzip2(text: &[u8]) -> Vec<u8> {
    let mut out = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    out.write_all(text).unwrap();
    out.finish().unwrap()
}

pub(crate) fn xz(text: &[u8]) -> Vec<u8> {
    let mut out =
        lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(0)).unwrap();
    out.write_all(text).unwrap();
    out.finish().unwrap()
}
