//! Exact steps: every step is one of all ranks, with the bits that a single rank gives.
//!
//! All ranks make the same batch, and each trains on a section of it. Between the halves of the step
//! the sums of the sections are added. They are integers, so that neither the order nor the number of
//! the ranks matters.

use super::Ranks;
use crate::batch::Batch;
use crate::engine::Engine;
use crate::engine::sums::BatchSums;
use crate::error::{Error, Result};

/// Trains one batch on all ranks.
pub(super) fn step(
    ranks: &dyn Ranks,
    engine: &mut dyn Engine,
    batch: &Batch,
    lr: f32,
) -> Result<()> {
    engine.accumulate(&batch.section(ranks.rank(), ranks.size()))?;
    let mut sums = engine.sums()?;
    add_up(ranks, &mut sums)?;
    engine.set_sums(&sums)?;
    engine.apply(lr)
}

/// Adds the sums of all ranks. Each rank adds up its share of the numbers, and tells all.
fn add_up(ranks: &dyn Ranks, sums: &mut BatchSums) -> Result<()> {
    let size = ranks.size();
    let all = [&sums.input.values[..], &sums.output.values].concat();
    let each = all.len().div_ceil(size).max(1);
    let mut parts: Vec<Vec<u32>> = all
        .chunks(each)
        .map(|part| bytemuck::cast_slice(part).to_vec())
        .collect();
    parts.resize(size, Vec::new());
    let mut received = ranks.exchange(parts)?.into_iter();
    let mut own = received.next().unwrap_or_default();
    for part in received {
        let numbers = own.iter_mut().zip(part);
        // As signed numbers, whose sum is made of the same bits.
        numbers.for_each(|(sum, number)| *sum = sum.wrapping_add(number));
    }
    let totals = ranks.gather(own)?.concat();
    if totals.len() != all.len() {
        return Err(Error::ranks(
            "their batches differ, so they were given different texts",
        ));
    }
    let totals: &[i32] = bytemuck::cast_slice(&totals);
    let (input, output) = totals.split_at(sums.input.values.len());
    sums.input.values.copy_from_slice(input);
    sums.output.values.copy_from_slice(output);
    Ok(())
}
