//! Compressed files that are made of several members, one after the other, as parallel compressors
//! write them.

use std::io::{self, BufRead, Read};

/// Compressed bytes, as they lie on disk.
pub(super) type Raw = Box<dyn BufRead + Send>;

/// A decoder of one member.
pub(super) trait Member: Read + Send + Sized {
    /// Whether a member may begin with this byte.
    fn may_begin(byte: u8) -> bool;

    /// A decoder of the member at the start of `raw`.
    fn new(raw: Raw) -> io::Result<Self>;

    /// The bytes behind the member, once it is read to its end.
    fn into_raw(self) -> Raw;
}

/// Reads all members. Zero bytes behind a member are padding, as tapes and some downloads have it.
pub(super) struct Members<M> {
    /// The member that is being read; `None` at the end of the file.
    member: Option<M>,
}

impl<M: Member> Members<M> {
    pub(super) fn new(raw: Raw) -> io::Result<Self> {
        let member = Some(M::new(raw)?);
        Ok(Self { member })
    }
}

impl<M: Member> Read for Members<M> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            let read = member.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            let ended = self.member.take();
            self.member = ended.map_or(Ok(None), |member| next(member.into_raw()))?;
        }
        Ok(0)
    }
}

/// The next member of a file; `None` at its end.
fn next<M: Member>(mut raw: Raw) -> io::Result<Option<M>> {
    loop {
        let bytes = raw.fill_buf()?;
        let Some(&first) = bytes.first() else {
            return Ok(None);
        };
        let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
        if zeros == 0 {
            return if M::may_begin(first) {
                M::new(raw).map(Some)
            } else {
                let what = "after their end stand bytes of another kind";
                Err(io::Error::new(io::ErrorKind::InvalidData, what))
            };
        }
        raw.consume(zeros);
    }
}
