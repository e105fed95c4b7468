//! Host threads that turn the token store into minibatches. Order and draws depend on the seed
//! alone.
//!
//! An epoch visits the store's blocks in random order, [`GROUP_BLOCKS`] at a time; these blocks are
//! a **group**. One thread, or some together, read and subsample a group. Its positions are cut into
//! spans of [`SPAN`] consecutive ones, and the spans are shuffled. A batch is a stretch of the
//! shuffled spans. Any thread can make a batch without knowing the others, and batches leave in
//! order.
//!
//! `docs/glossary.md` explains window, context, center, span, pool and group, with a drawing.

use std::io;
use std::iter::once;
use std::sync::{Arc, Mutex};
use std::thread::{Builder, JoinHandle};

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use rand::Rng;
use rand_xoshiro::SplitMix64;

use super::group::{GROUP_BLOCKS, Group, Share, share, shuffle};
use super::targets::{POOL_SPANS, Targets};
use super::windows::{Places, SPAN, Window, Windows, add_window, around, as_one_span};
use super::{Batch, BatchBuilder, Inputs, Packer, Row, RowTarget};
use crate::corpus::{END, TokenStore};
use crate::error::{Error, Result};
use crate::sampling::{Key, Stream, Subsampler, below};
use crate::subwords::SubwordTable;

/// Threads that make batches for each that reads and subsamples: a word takes about a sixth of the
/// time to read that it takes to become a part of a batch.
const THREADS_OF_A_READER: usize = 4;

/// The corpus and the settings that batches are made from.
#[derive(Debug)]
pub struct Batcher {
    /// The encoded corpus.
    pub store: TokenStore,
    /// Decides which occurrences of frequent words are kept.
    pub subsampler: Subsampler,
    /// The targets that the centers of a window are trained against.
    pub targets: Arc<Targets>,
    /// How the centers of a window meet its targets.
    pub inputs: Inputs,
    /// Size of the vocabulary, in words.
    pub words: usize,
    /// The parts of the words, in a model with subwords.
    pub subwords: Option<Arc<SubwordTable>>,
    /// How window widths are drawn.
    pub windows: Windows,
    /// Number of passes over the corpus.
    pub epochs: u32,
    /// The seed of all draws, from `--seed`.
    pub seed: u64,
    /// Whether positions are visited in random order.
    pub shuffle: bool,
    /// Largest number of windows in a span, from 1 to [`SPAN`]. They share their centers' sums.
    pub span: usize,
    /// Windows in a batch, about: a group is cut into batches of nearly equal size.
    pub batch: usize,
}

impl Batcher {
    /// Rows of W: one for each word, or those that words have parts in.
    pub fn input_rows(&self) -> usize {
        self.subwords
            .as_ref()
            .map_or(self.words, |table| table.rows())
    }

    /// Rows of W': one for each word, or those of the tree.
    pub fn output_rows(&self) -> usize {
        match &*self.targets {
            Targets::Path(tree) => tree.rows(),
            Targets::Negatives(_) | Targets::Context => self.words,
        }
    }

    /// Number of groups of an epoch.
    pub(crate) fn groups(&self) -> usize {
        self.store.blocks().div_ceil(GROUP_BLOCKS)
    }

    /// The order in which an epoch visits the blocks.
    fn block_order(&self, epoch: u32) -> Vec<u32> {
        let mut order: Vec<u32> = (0..self.store.blocks() as u32).collect();
        if self.shuffle {
            shuffle(&mut order, Key::new(self.seed, epoch, Stream::Blocks), 0);
        }
        order
    }

    /// The blocks of a group, in the order of their visit.
    fn group_blocks<'a>(&self, index: usize, order: &'a [u32]) -> &'a [u32] {
        &order[share(order.len(), index, self.groups())]
    }

    fn block_words(&self, block: u32) -> u64 {
        self.store.block_start(block as usize + 1) - self.store.block_start(block as usize)
    }

    fn group_words(&self, index: usize, order: &[u32]) -> u64 {
        let blocks = self.group_blocks(index, order).iter();
        blocks.map(|&block| self.block_words(block)).sum()
    }

    /// The largest number of ranks of which each has a block of every group.
    pub fn most_ranks(&self) -> usize {
        self.store.blocks() / self.groups().max(1)
    }

    /// Reads and subsamples a rank's share of a group on `readers` threads.
    fn group(
        &self,
        epoch: u32,
        index: usize,
        order: &[u32],
        words_before: u64,
        (dealt, readers): (Share, usize),
    ) -> Result<Group> {
        let blocks = self.group_blocks(index, order);
        let blocks = &blocks[share(blocks.len(), dealt.rank, dealt.ranks)];
        let words: u64 = blocks.iter().map(|&block| self.block_words(block)).sum();
        // Allocated at once: the memory that earlier groups gave back fits again, and does not grow
        // with the corpus.
        let mut tokens = vec![0; words as usize];
        let mut kept = vec![0; blocks.len()];
        let mut parts = Vec::with_capacity(readers);
        let (mut tokens_left, mut kept_left) = (&mut tokens[..], &mut kept[..]);
        for reader in 0..readers {
            let own = &blocks[share(blocks.len(), reader, readers)];
            let length: u64 = own.iter().map(|&block| self.block_words(block)).sum();
            let (own_tokens, own_kept);
            (own_tokens, tokens_left) = tokens_left.split_at_mut(length as usize);
            (own_kept, kept_left) = kept_left.split_at_mut(own.len());
            parts.push((own, own_tokens, own_kept));
        }
        let subsample = |(blocks, tokens, kept)| self.subsample(epoch, blocks, tokens, kept);
        if readers == 1 {
            parts.into_iter().try_for_each(subsample)?;
        } else {
            std::thread::scope(|scope| {
                let start = |part| {
                    let thread = Builder::new().spawn_scoped(scope, || subsample(part));
                    thread.map_err(Error::no_threads("reading the text"))
                };
                let threads: Vec<_> = parts.into_iter().map(start).collect::<Result<_>>()?;
                threads
                    .into_iter()
                    .try_for_each(|thread| match thread.join() {
                        Ok(done) => done,
                        Err(panic) => std::panic::resume_unwind(panic),
                    })
            })?;
        }
        // What is kept of each block moves up to the block before it.
        let (mut start, mut end) = (0, 0);
        for (&block, kept) in blocks.iter().zip(kept) {
            tokens.copy_within(start..start + kept, end);
            start += self.block_words(block) as usize;
            end += kept;
        }
        tokens.truncate(end);
        let mut spans: Vec<u32> = (0..tokens.len().div_ceil(SPAN) as u32).collect();
        let draws = index as u64 * dealt.ranks as u64 + dealt.rank as u64;
        if self.shuffle {
            shuffle(&mut spans, Key::new(self.seed, epoch, Stream::Spans), draws);
        }
        let words = self.group_words(index, order);
        let batches = if dealt.ranks == 1 {
            self.batches_of(tokens.len() as f64, spans.len())
        } else {
            let kept = words as f64 * self.subsampler.share() / dealt.ranks as f64;
            self.batches_of(kept, (kept / SPAN as f64) as usize)
        };
        Ok(Group {
            epoch,
            draws,
            words_before,
            words,
            tokens,
            spans,
            batches,
            first: 0,
        })
    }

    /// Number of batches that so many windows in so many spans are cut into. All ranks must come to
    /// the same number. None of them knows what the others keep of a group, so they go by what is
    /// kept on average.
    fn batches_of(&self, windows: f64, spans: usize) -> usize {
        ((windows / self.batch as f64).round() as usize).clamp(1, spans.max(1))
    }

    /// Subsamples blocks. What is kept of each goes to the start of its place in `tokens`, and its
    /// length to `kept`.
    fn subsample(
        &self,
        epoch: u32,
        blocks: &[u32],
        tokens: &mut [u32],
        kept: &mut [usize],
    ) -> Result<()> {
        let key = Key::new(self.seed, epoch, Stream::Subsample);
        let (mut block, mut place) = (Vec::new(), 0);
        for (&number, kept) in blocks.iter().zip(kept) {
            block.clear();
            self.store.read_block(number as usize, &mut block)?;
            let start = self.store.block_start(number as usize);
            let tokens = &mut tokens[place..place + block.len()];
            place += block.len();
            let (mut length, mut sentence) = (0, 0);
            for (position, &token) in (start..).zip(&block) {
                let id = token & !END;
                if self.subsampler.keeps(id, key, position) {
                    tokens[length] = id;
                    length += 1;
                }
                if token & END != 0 && length > sentence {
                    sentence = length;
                    tokens[sentence - 1] |= END;
                }
            }
            *kept = length;
        }
        Ok(())
    }

    /// Makes batch `number` of a group in `batch`.
    fn fill(&self, group: &Group, number: usize, builder: &mut BatchBuilder, batch: &mut Batch) {
        batch.clear();
        batch.epoch = group.epoch;
        (batch.words_before, batch.words) = group.words_of(number);

        let pool_key = Key::new(self.seed, group.epoch, Stream::Pools);
        let (mut windows, mut targets) = (Vec::with_capacity(SPAN), TargetBuffers::default());
        let spans = share(group.spans.len(), number, group.batches);
        let pools = group.spans[spans.clone()].chunks(POOL_SPANS);
        for (first, spans) in spans.step_by(POOL_SPANS).zip(pools) {
            if let Targets::Negatives(negatives) = &*self.targets
                && !negatives.per_pair
            {
                negatives.fill_pool(pool_key.at(group.draw_position(first)), &mut targets.pool);
            }
            for &span in spans {
                self.cut_windows(group, span, &mut windows);
                let mut left = &mut windows[..];
                while !left.is_empty() {
                    let (count, positions) = as_one_span(&left[..left.len().min(self.span.max(1))]);
                    let (own, rest) = left.split_at_mut(count);
                    left = rest;
                    let centers = &group.tokens[positions.clone()];
                    builder.span(batch, centers.iter().map(|token| Row(token & !END)));
                    for window in own {
                        let places = window.places(positions.start);
                        let word = group.tokens[window.context] & !END;
                        self.add_window(word, window, &places, &mut targets, (builder, batch));
                    }
                }
            }
        }
        builder.finish(batch);
    }

    /// Cuts the positions of a span into windows, each with the generator of its draws.
    #[inline]
    fn cut_windows(&self, group: &Group, span: u32, windows: &mut Vec<Window<SplitMix64>>) {
        let key = Key::new(self.seed, group.epoch, Stream::Windows);
        let first = span as usize * SPAN;
        windows.clear();
        for position in first..group.tokens.len().min(first + SPAN) {
            let mut rng = key.at(group.draw_position(position));
            let reach = self.windows.reach(&mut rng);
            let centers = around(&group.tokens, position, reach);
            add_window(position, centers, rng, windows);
        }
    }

    /// Adds a window with its targets to the batch; `word` is its context.
    #[inline]
    fn add_window(
        &self,
        word: u32,
        window: &mut Window<SplitMix64>,
        places: &Places,
        TargetBuffers { pool, targets }: &mut TargetBuffers,
        (builder, batch): (&mut BatchBuilder, &mut Batch),
    ) {
        let rng = &mut window.rng;
        match &*self.targets {
            Targets::Negatives(negatives) if negatives.per_pair && self.inputs == Inputs::Each => {
                // Skips the draws that the earlier parts of this window used.
                let used = window.before * negatives.count as usize;
                (0..used).for_each(|_| _ = rng.next_u64());
                for center in places.all() {
                    let noise = || negatives.noise.outcome(rng.next_u64());
                    negatives.draw(word, noise, targets);
                    builder.window(batch, once(center..center + 1), targets);
                }
            }
            Targets::Negatives(negatives) if negatives.per_pair => {
                let noise = || negatives.noise.outcome(rng.next_u64());
                negatives.draw(word, noise, targets);
                builder.window(batch, places.ranges(), targets);
            }
            Targets::Negatives(negatives) => {
                let from_pool = || pool[below(pool.len() as u32, rng.next_u32()) as usize];
                negatives.draw(word, from_pool, targets);
                builder.window(batch, places.ranges(), targets);
            }
            Targets::Path(tree) => builder.window(batch, places.ranges(), tree.path(word)),
            Targets::Context => {
                builder.window(batch, places.ranges(), &[RowTarget::new(Row(word), true)]);
            }
        }
    }

    /// Starts making all batches of the training, on `threads` threads and one more that reads
    /// ahead; on fewer where the system starts no more. The first batch is an error where it starts
    /// too few.
    pub fn batches(self: &Arc<Self>, threads: usize) -> Batches {
        self.batches_from(threads, 0)
    }

    /// Like [`batches`](Self::batches), from the batch before which `words` words of the corpus
    /// were seen, counted over all epochs.
    pub fn batches_from(self: &Arc<Self>, threads: usize, words: u64) -> Batches {
        self.batches_packed(threads, words, None)
    }

    /// Like [`batches_from`](Self::batches_from), each packed for an engine where there is a
    /// packer.
    pub fn batches_packed(
        self: &Arc<Self>,
        threads: usize,
        words: u64,
        packer: Option<Packer>,
    ) -> Batches {
        self.batches_dealt(Share::ALL, threads, words, packer)
    }

    /// Like [`batches_packed`](Self::batches_packed), of the share that is dealt to one of several
    /// ranks. All ranks have the same number of batches, and the n-th of each begins after the same
    /// number of words.
    pub fn batches_dealt(
        self: &Arc<Self>,
        dealt: Share,
        threads: usize,
        words: u64,
        packer: Option<Packer>,
    ) -> Batches {
        let (group_sender, groups) = bounded(1);
        let (queue_sender, queue) = bounded(threads + 2);
        let (recycle, recycled) = unbounded();
        let source = Arc::clone(self);
        let readers = threads.div_ceil(THREADS_OF_A_READER);
        let read = move || source.read_groups(words, (dealt, readers), &group_sender);
        let mut started = vec![Builder::new().spawn(read)];
        let dispatch = Arc::new(Mutex::new(Dispatch {
            groups,
            queue: queue_sender,
            current: None,
        }));
        for _ in 0..threads {
            let (source, dispatch, recycled, packer) = (
                Arc::clone(self),
                Arc::clone(&dispatch),
                Receiver::clone(&recycled),
                packer.clone(),
            );
            let make = move || source.make_batches(&dispatch, &recycled, packer.as_ref());
            started.push(Builder::new().spawn(make));
        }
        Batches::new(started, queue, recycle)
    }

    /// Sends all groups from the one with word `start` on. Stops when the receiver is gone or a
    /// group cannot be read.
    fn read_groups(&self, start: u64, dealt: (Share, usize), groups: &Sender<Result<Group>>) {
        let per_epoch = self.store.tokens().max(1);
        let first_epoch = u32::try_from(start / per_epoch).unwrap_or(u32::MAX);
        for epoch in first_epoch..self.epochs {
            let order = self.block_order(epoch);
            let mut words_before = u64::from(epoch) * self.store.tokens();
            for index in 0..self.groups() {
                let words = self.group_words(index, &order);
                if words_before + words > start {
                    let group = self
                        .group(epoch, index, &order, words_before, dealt)
                        .map(|group| group.from(start));
                    let failed = group.is_err();
                    if groups.send(group).is_err() || failed {
                        return;
                    }
                }
                words_before += words;
            }
        }
    }

    fn make_batches(
        &self,
        dispatch: &Mutex<Dispatch>,
        recycled: &Receiver<Batch>,
        packer: Option<&Packer>,
    ) {
        let mut builder = BatchBuilder::new(self.words, self.output_rows(), self.inputs);
        if let Some(table) = &self.subwords {
            builder = builder.with_subwords(Arc::clone(table));
        }
        loop {
            let Some((group, number, reply)) = dispatch
                .lock()
                .ok()
                .and_then(|mut dispatch| dispatch.next())
            else {
                return;
            };
            let mut batch = recycled.try_recv().unwrap_or_default();
            self.fill(&group, number, &mut builder, &mut batch);
            let packed = packer.map_or(Ok(()), |pack| pack(&mut batch));
            // Nobody receives it once the training has stopped.
            let _ = reply.send(packed.map(|()| batch));
        }
    }
}

/// What a thread needs to make targets, kept from window to window.
#[derive(Default)]
struct TargetBuffers {
    /// Noise words, as ids, for the spans of a pool.
    pool: Vec<u32>,
    /// The targets of a window.
    targets: Vec<RowTarget>,
}

/// Hands out the numbers of the batches to be made, in order, each with a place in the queue.
struct Dispatch {
    groups: Receiver<Result<Group>>,
    queue: Sender<Receiver<Result<Batch>>>,
    current: Option<(Arc<Group>, usize)>,
}

impl Dispatch {
    fn next(&mut self) -> Option<(Arc<Group>, usize, Sender<Result<Batch>>)> {
        let (group, number) = match self.current.take() {
            Some(current) => current,
            None => match self.groups.recv().ok()? {
                Ok(group) => {
                    let first = group.first;
                    (Arc::new(group), first)
                }
                Err(error) => {
                    let (reply, place) = bounded(1);
                    let _ = reply.send(Err(error));
                    let _ = self.queue.send(place);
                    return None;
                }
            },
        };
        if number + 1 < group.batches {
            self.current = Some((Arc::clone(&group), number + 1));
        }
        let (reply, place) = bounded(1);
        self.queue.send(place).ok()?;
        Some((group, number, reply))
    }
}

/// All batches of a training, in order.
#[derive(Debug)]
pub struct Batches {
    queue: Option<Receiver<Receiver<Result<Batch>>>>,
    recycle: Sender<Batch>,
    threads: Vec<JoinHandle<()>>,
    /// The error that is the first batch, if too few threads could be started.
    failed: Option<Error>,
}

impl Batches {
    /// The batches that the `started` threads make: the first reads, the others make them.
    fn new(
        started: Vec<io::Result<JoinHandle<()>>>,
        queue: Receiver<Receiver<Result<Batch>>>,
        recycle: Sender<Batch>,
    ) -> Self {
        let reads = started[0].is_ok();
        let (threads, failures): (Vec<_>, Vec<_>) =
            started.into_iter().partition(|thread| thread.is_ok());
        let is_enough = reads && threads.len() > 1;
        let failure = failures.into_iter().find_map(|thread| thread.err());
        Self {
            queue: Some(queue),
            recycle,
            threads: threads.into_iter().flatten().collect(),
            failed: failure
                .filter(|_| !is_enough)
                .map(Error::no_threads("making batches")),
        }
    }

    /// Gives the memory of a used batch back, for a later batch.
    pub fn recycle(&self, batch: Batch) {
        // The receivers are gone once all batches are made.
        let _ = self.recycle.send(batch);
    }
}

impl Iterator for Batches {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(error) = self.failed.take() {
            return Some(Err(error));
        }
        self.queue.as_ref()?.recv().ok()?.recv().ok()
    }
}

impl Drop for Batches {
    fn drop(&mut self) {
        self.queue = None;
        for thread in self.threads.drain(..) {
            // The panic hook has already reported a panic of this thread.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::batch::{CbowGradient, HuffmanTree, Negatives, POOL_USES, Slot, Target};
    use crate::corpus::StoreWriter;
    use crate::sampling::AliasTable;

    /// The first thread reads, the others make batches; one of these is enough.
    #[test]
    fn too_few_threads_are_an_error_and_no_panic() {
        let first = |started: [bool; 3]| {
            let start = |is_started| match is_started {
                true => Ok(std::thread::spawn(|| ())),
                false => Err(io::ErrorKind::WouldBlock.into()),
            };
            let (queue, recycle) = (bounded(1).1, unbounded().0);
            Batches::new(started.map(start).into(), queue, recycle).next()
        };
        assert!(first([true, false, true]).is_none());
        for started in [[false, true, true], [true, false, false]] {
            let error = first(started).unwrap().unwrap_err().to_string();
            assert!(
                error.starts_with("making batches: no thread could be started"),
                "{error}"
            );
        }
    }

    fn source(
        sentences: &[Vec<u32>],
        words: usize,
        change: impl FnOnce(&mut Batcher),
    ) -> Arc<Batcher> {
        let mut writer = StoreWriter::new().unwrap();
        let mut counts = vec![0; words];
        for sentence in sentences {
            let mut tokens = sentence.clone();
            tokens.iter().for_each(|&id| counts[id as usize] += 1);
            *tokens.last_mut().unwrap() |= END;
            writer.write(&tokens).unwrap();
        }
        let mut source = Batcher {
            store: writer.finish().unwrap(),
            subsampler: Subsampler::new(&counts, 0.0),
            targets: Arc::new(Targets::Negatives(Negatives {
                noise: AliasTable::noise(&counts, 0.75),
                count: 3,
                per_pair: false,
                skip_equal: true,
            })),
            inputs: Inputs::Each,
            words,
            subwords: None,
            windows: Windows {
                window: 2,
                fixed: false,
            },
            epochs: 2,
            seed: 1,
            shuffle: true,
            span: SPAN,
            batch: 100,
        };
        change(&mut source);
        Arc::new(source)
    }

    fn sentences(n: u32) -> Vec<Vec<u32>> {
        (0..n)
            .map(|s| (0..s % 9 + 1).map(|i| (s * 7 + i * i * 3) % 50).collect())
            .collect()
    }

    fn all(source: &Arc<Batcher>, threads: usize) -> Vec<Batch> {
        source.batches(threads).collect::<Result<_>>().unwrap()
    }

    #[test]
    fn the_same_for_any_number_of_threads_and_recycled_memory() {
        let counts = vec![40_000u64; 50];
        let source = source(&sentences(30_000), 50, |s| {
            s.subsampler = Subsampler::new(&counts, 5e-3)
        });
        let one = all(&source, 1);
        assert!(source.groups() > 0 && one.len() > 1000, "{}", one.len());
        assert_eq!(one, all(&source, 2));
        let mut batches = source.batches(5);
        let mut recycled = Vec::new();
        while let Some(batch) = batches.next() {
            let batch = batch.unwrap();
            recycled.push(batch.clone());
            batches.recycle(batch);
        }
        assert_eq!(one, recycled);
    }

    /// Training resumed at any batch sees exactly the batches that were left.
    #[test]
    fn any_batch_can_be_the_first() {
        for sentences in [sentences(3000), sentences(700)] {
            let source = source(&sentences, 50, |_| ());
            let all = all(&source, 2);
            for first in (0..all.len()).step_by(all.len() / 7) {
                let left: Vec<Batch> = source
                    .batches_from(2, all[first].words_before)
                    .collect::<Result<_>>()
                    .unwrap();
                assert!(left == all[first..], "from batch {first} of {}", all.len());
            }
            let end = 2 * source.store.tokens();
            assert_eq!(source.batches_from(1, end).count(), 0);
            assert_eq!(source.batches_from(1, u64::MAX).count(), 0);
        }
    }

    #[test]
    fn a_seed_and_an_epoch_have_their_own_batches() {
        let sentences = sentences(500);
        let first = all(&source(&sentences, 50, |_| ()), 1);
        let other = all(&source(&sentences, 50, |s| s.seed = 2), 1);
        assert_ne!(first, other);
        let epoch = first.len() / 2;
        assert_ne!(first[0].span_centers, first[epoch].span_centers);
    }

    /// With fixed windows and without subsampling, an epoch holds every pair within reach in a
    /// sentence exactly once.
    #[test]
    fn an_epoch_is_every_pair_once() {
        let sentences = sentences(400);
        let mut expected: HashMap<(u32, u32), i64> = HashMap::new();
        for sentence in &sentences {
            for (i, &context) in sentence.iter().enumerate() {
                for (j, &center) in sentence.iter().enumerate() {
                    if i != j && i.abs_diff(j) <= 2 {
                        *expected.entry((center, context)).or_default() += 1;
                    }
                }
            }
        }
        for shuffle in [true, false] {
            let source = source(&sentences, 50, |s| {
                s.windows.fixed = true;
                s.epochs = 1;
                s.shuffle = shuffle;
            });
            let mut seen: HashMap<(Row, Row), i64> = HashMap::new();
            let batches = all(&source, 2);
            for batch in &batches {
                for (w, centers) in batch.windows_with_centers() {
                    let targets = batch.targets_of(w);
                    let context = batch.target_rows[targets[0].slot().index()];
                    assert!(
                        targets[0].label()
                            && targets[1..]
                                .iter()
                                .all(|t| !t.label() && t.slot() != targets[0].slot())
                    );
                    for center in centers {
                        *seen.entry((center, context)).or_default() += 1;
                    }
                }
            }
            let seen: HashMap<(u32, u32), i64> = seen
                .into_iter()
                .map(|((center, context), count)| ((center.0, context.0), count))
                .collect();
            assert_eq!(seen, expected);
            assert_eq!(
                batches.iter().map(|b| b.words).sum::<u64>(),
                source.store.tokens()
            );
            let mut before = 0;
            for batch in &batches {
                assert_eq!(batch.words_before, before);
                before += batch.words;
            }
        }
    }

    /// The length of spans changes how windows are grouped, but not the windows.
    #[test]
    fn shorter_spans_have_the_same_windows() {
        let windows_of = |span| {
            let batches = all(&source(&sentences(300), 50, |s| s.span = span), 1);
            let most = batches
                .iter()
                .flat_map(|batch| (0..batch.spans()).map(|span| batch.span(span).windows.len()))
                .max();
            assert!(most.is_some_and(|most| most == span), "{most:?}");
            let windows = |batch: &Batch| -> Vec<_> {
                batch
                    .windows_with_centers()
                    .map(|(w, centers)| (centers, batch.targets_of(w).to_vec()))
                    .collect()
            };
            batches.iter().map(windows).collect::<Vec<_>>()
        };
        let whole = windows_of(SPAN);
        assert!([1, 4].into_iter().all(|span| windows_of(span) == whole));
    }

    fn negatives(change: impl FnOnce(&mut Negatives)) -> Arc<Targets> {
        let noise = AliasTable::new((1..=50).map(f64::from));
        let mut negatives = Negatives {
            noise,
            count: 3,
            per_pair: false,
            skip_equal: true,
        };
        change(&mut negatives);
        Arc::new(Targets::Negatives(negatives))
    }

    /// Pairs are the same as with shared negatives, but each has negatives of its own.
    #[test]
    fn negatives_for_each_pair() {
        let windows_of = |per_pair| {
            let source = source(&sentences(300), 50, |s| {
                s.targets = negatives(|n| n.per_pair = per_pair);
                s.epochs = 1;
                s.shuffle = false;
            });
            let mut windows = Vec::new();
            for batch in all(&source, 1) {
                for (w, centers) in batch.windows_with_centers() {
                    let targets: Vec<Row> = batch
                        .targets_of(w)
                        .iter()
                        .map(|t| batch.target_rows[t.slot().index()])
                        .collect();
                    windows.push((centers, targets));
                }
            }
            windows
        };
        let (shared, own) = (windows_of(false), windows_of(true));
        assert!(own.iter().all(|(centers, _)| centers.len() == 1));
        let pairs = |windows: &[(Vec<Row>, Vec<Row>)]| -> Vec<(Row, Row)> {
            windows
                .iter()
                .flat_map(|(centers, targets)| centers.iter().map(|&x| (x, targets[0])))
                .collect()
        };
        assert_eq!(pairs(&shared), pairs(&own));
        let same = own
            .windows(2)
            .filter(|two| two[0].1[1..] == two[1].1[1..])
            .count();
        assert!(
            same < own.len() / 100,
            "{same} of {} neighbours share their negatives",
            own.len()
        );
    }

    /// A pool of 192 draws from 100,000 equally likely words hardly has a word twice. So each
    /// negative is used some four times, and never by windows of two pools.
    #[test]
    fn windows_share_a_pool_of_negatives() {
        let words = 100_000;
        let source = source(&sentences(600), words, |s| {
            s.targets = negatives(|n| n.noise = AliasTable::new(std::iter::repeat_n(1.0, words)));
            (s.epochs, s.batch) = (1, 1000);
        });
        let batch = all(&source, 1).swap_remove(0);
        assert!(batch.windows() > 3 * POOL_SPANS * SPAN);
        let mut uses: HashMap<Row, Vec<usize>> = HashMap::new();
        for w in 0..batch.windows() {
            let negatives = batch.targets_of(w).iter().filter(|target| !target.label());
            negatives.for_each(|t| {
                uses.entry(batch.target_rows[t.slot().index()])
                    .or_default()
                    .push(w)
            });
        }
        let all: usize = uses.values().map(Vec::len).sum();
        let mean = all as f64 / uses.len() as f64;
        assert!((mean - POOL_USES as f64).abs() < 0.2, "{mean}");
        let apart = uses
            .values()
            .filter(|windows| windows[windows.len() - 1] - windows[0] >= POOL_SPANS * SPAN)
            .count();
        assert!(
            apart < uses.len() / 100,
            "{apart} of {} noise words are used by two pools",
            uses.len()
        );
    }

    /// A window with more centers than a span can hold keeps all its pairs, whether they share
    /// negatives or not.
    #[test]
    fn wide_windows_become_several() {
        let sentence: Vec<u32> = (0..50).collect();
        for per_pair in [false, true] {
            let source = source(std::slice::from_ref(&sentence), 50, |s| {
                s.targets = negatives(|n| n.per_pair = per_pair);
                (s.windows, s.epochs) = (
                    Windows {
                        window: 60,
                        fixed: true,
                    },
                    1,
                );
            });
            let batch = all(&source, 1).swap_remove(0);
            assert_eq!(
                (batch.examples(), batch.validate(50, 50)),
                (50 * 49, Ok(()))
            );
            let mut draws: HashMap<Slot, Vec<Vec<Target>>> = HashMap::new();
            for w in 0..batch.windows() {
                let targets = batch.targets_of(w);
                draws
                    .entry(targets[0].slot())
                    .or_default()
                    .push(targets.to_vec());
            }
            let same = draws
                .values()
                .flat_map(|draws| draws.iter().map(|own| usize::from(*own == draws[0])))
                .sum::<usize>();
            if per_pair {
                assert!(
                    same < 100,
                    "{same} of {} windows draw as the first one of their context",
                    batch.windows()
                );
            } else {
                assert_eq!(same, batch.windows());
            }
        }
    }

    #[test]
    fn negatives_that_equal_the_context_may_be_kept() {
        let equal = |skip_equal| {
            let source = source(&sentences(300), 50, |s| {
                s.targets = negatives(|n| n.skip_equal = skip_equal)
            });
            let mut equal = 0;
            for batch in all(&source, 1) {
                for targets in (0..batch.windows()).map(|w| batch.targets_of(w)) {
                    equal += targets[1..]
                        .iter()
                        .filter(|t| t.slot() == targets[0].slot())
                        .count();
                    assert!(skip_equal || targets.len() == 4);
                }
            }
            equal
        };
        assert_eq!(equal(true), 0);
        assert!(equal(false) > 0);
    }

    /// The windows of a mean are those of skip-gram, with draws once for a window in either way.
    #[test]
    fn a_mean_draws_once_for_a_window() {
        let inputs = Inputs::Mean(CbowGradient::Whole);
        let draws = |per_pair, inputs| {
            let source = source(&sentences(300), 50, |s| {
                s.inputs = inputs;
                s.targets = negatives(|n| (n.per_pair, n.skip_equal) = (per_pair, false));
            });
            all(&source, 1)
        };
        let [each, pooled, apart] = [
            draws(false, Inputs::Each),
            draws(false, inputs),
            draws(true, inputs),
        ];
        let mut differ = 0;
        for ((each, pooled), apart) in each.iter().zip(&pooled).zip(&apart) {
            assert_eq!(
                (each.windows(), &each.centers),
                (pooled.windows(), &pooled.centers)
            );
            assert_eq!(
                (each.windows(), &each.centers),
                (apart.windows(), &apart.centers)
            );
            assert_eq!(
                (&each.targets, &each.center_bits),
                (&pooled.targets, &pooled.center_bits)
            );
            assert_eq!(
                (pooled.examples(), apart.examples()),
                (each.windows() as u64, each.windows() as u64)
            );
            assert_eq!(pooled.products(), 4 * pooled.examples());
            differ += usize::from(pooled.targets != apart.targets);
        }
        assert!(differ > 0);
    }

    #[test]
    fn paths_and_contexts_as_targets() {
        let counts: Vec<u64> = (0..50).map(|word| 1000 / (word + 1)).collect();
        let tree = HuffmanTree::new(&counts, 2);
        let by_path = source(&sentences(300), 50, |s| {
            s.targets = Arc::new(Targets::Path(tree.clone()))
        });
        let by_context = source(&sentences(300), 50, |s| {
            s.targets = Arc::new(Targets::Context)
        });
        assert_eq!((by_path.output_rows(), by_context.output_rows()), (49, 50));
        for (paths, contexts) in all(&by_path, 1).iter().zip(&all(&by_context, 1)) {
            assert_eq!(
                (&paths.centers, paths.validate(50, 49)),
                (&contexts.centers, Ok(()))
            );
            for w in 0..paths.windows() {
                let [context] = contexts.targets_of(w) else {
                    panic!("one context")
                };
                let context = contexts.target_rows[context.slot().index()];
                let row =
                    |t: &Target| RowTarget::new(paths.target_rows[t.slot().index()], t.label());
                assert_eq!(
                    paths.targets_of(w).iter().map(row).collect::<Vec<_>>(),
                    tree.path(context.0)
                );
            }
        }
    }

    #[test]
    fn window_widths_are_uniform() {
        let long: Vec<u32> = (0..20_000).map(|i| i % 50).collect();
        let source = source(&[long], 50, |s| {
            s.windows = Windows {
                window: 5,
                fixed: false,
            };
            s.epochs = 1;
        });
        let mut widths = [0f64; 6];
        for batch in all(&source, 2) {
            (0..batch.windows()).for_each(|w| widths[batch.centers_of(w).len().div_ceil(2)] += 1.0);
        }
        let chi2: f64 = widths[1..]
            .iter()
            .map(|seen| (seen - 4000.0).powi(2) / 4000.0)
            .sum();
        // 4 degrees of freedom: 18.5 is passed once in a thousand.
        assert!(chi2 < 18.5, "{widths:?}");
    }

    #[test]
    fn an_abandoned_run_ends_its_threads() {
        let source = source(&sentences(5000), 50, |_| ());
        let mut batches = source.batches(3);
        batches.next().unwrap().unwrap();
        drop(batches);
        assert_eq!(Arc::strong_count(&source), 1);
    }
}
