//! Models of fastText, byte by byte.

/// A model, as fastText writes it.
#[derive(Clone)]
pub(crate) struct FastText {
    pub(crate) version: i32,
    /// 1 for hierarchical softmax, 2 for negative sampling, 3 for softmax.
    pub(crate) loss: i32,
    /// 1 for CBOW, 2 for skip-gram, 3 for a classifier.
    pub(crate) model: i32,
    pub(crate) bucket: i32,
    pub(crate) minn: i32,
    pub(crate) maxn: i32,
    /// -1, or the size of what is left of the n-grams.
    pub(crate) pruned: i64,
    pub(crate) is_quantised: bool,
    /// The words with their counts.
    pub(crate) words: Vec<(Vec<u8>, i64)>,
}

/// Values in a row.
pub(crate) const DIM: usize = 3;

/// Bytes from the start to the first word.
pub(crate) const HEADER: usize = 92;

impl FastText {
    /// A model of skip-gram with n-grams of so many characters, in so many buckets.
    pub(crate) fn with_subwords([minn, maxn]: [i32; 2], bucket: i32) -> Self {
        let words = ["the", "für", "</s>", "日本", "cat"];
        let words = words.iter().map(|word| word.as_bytes().to_vec());
        Self {
            version: 12,
            loss: 2,
            model: 2,
            bucket,
            minn,
            maxn,
            pruned: -1,
            is_quantised: false,
            words: words.zip([9, 7, 5, 3, 1]).collect(),
        }
    }

    /// The same words without subwords.
    pub(crate) fn plain() -> Self {
        Self::with_subwords([0, 0], 0)
    }

    /// A row of the matrix of words and buckets.
    pub(crate) fn row(row: usize) -> [f32; DIM] {
        [1.0, 0.3, -0.7].map(|scale| scale * ((row * row) as f32 * 0.37).sin())
    }

    /// The row of a bucket.
    pub(crate) fn bucket_row(&self, bucket: u32) -> [f32; DIM] {
        Self::row(self.words.len() + bucket as usize)
    }

    /// The file.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let words = self.words.len();
        let rows = words + self.bucket as usize;
        let mut bytes = 793_712_314i32.to_le_bytes().to_vec();
        let Self {
            version,
            loss,
            model,
            bucket,
            minn,
            maxn,
            ..
        } = *self;
        for value in [
            version, DIM as i32, 5, 2, 1, 4, 1, loss, model, bucket, minn, maxn, 100,
        ] {
            bytes.extend(value.to_le_bytes());
        }
        bytes.extend(1e-4f64.to_le_bytes());
        for value in [words as i32, words as i32, 0] {
            bytes.extend(value.to_le_bytes());
        }
        bytes.extend(25i64.to_le_bytes());
        bytes.extend(self.pruned.to_le_bytes());
        assert_eq!(bytes.len(), HEADER);
        for (word, count) in &self.words {
            bytes.extend([&word[..], b"\0", &count.to_le_bytes(), b"\0"].concat());
        }
        matrix(&mut bytes, self.is_quantised, (0..rows).map(Self::row));
        matrix(&mut bytes, false, (0..words).map(|_| [0.5; DIM]));
        bytes
    }
}

fn matrix(
    bytes: &mut Vec<u8>,
    is_quantised: bool,
    rows: impl ExactSizeIterator<Item = [f32; DIM]>,
) {
    bytes.push(u8::from(is_quantised));
    bytes.extend((rows.len() as i64).to_le_bytes());
    bytes.extend((DIM as i64).to_le_bytes());
    bytes.extend(rows.flatten().flat_map(f32::to_le_bytes));
}
