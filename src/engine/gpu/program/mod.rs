//! A step as the device takes it: which buffers it works on, and which kernels run one after the
//! other.
//!
//! Buffers have names ([`BufferRole`], [`ScratchBuffer`]), stated once with their size. A
//! [`Stage`] says which kernel runs, on which buffers, in how many workgroups. The stages of each
//! loss function stand in a file of their own.

mod sigmoid;
mod softmax;
mod stage;

pub(super) use sigmoid::span_groups;
pub(super) use softmax::{SCORES, most_words, tile_centers};
pub(super) use stage::{BATCH_LOSSES, BufferRole, LARGEST, LOSSES, ScratchBuffer, Stage, StepSize};

use self::stage::MovedTable;
use super::device::Device;
use super::layout::Layout;
use super::pipeline::Pipeline;
use crate::engine::{LossFunction, Objective};

/// The stages of an objective's steps, in order. This is the one place where an objective chooses
/// its kernels on the GPU.
pub(super) fn stages(objective: Objective, span_sums_fit: bool) -> Vec<Stage> {
    match objective.loss {
        LossFunction::Sigmoid | LossFunction::Choice { .. } => {
            sigmoid::stages(span_sums_fit, objective.subwords)
        }
        LossFunction::Softmax => softmax::STAGES.to_vec(),
    }
}

/// The buffers between some stages, each once, in the order in which plans list them.
pub(super) fn scratch_buffers(stages: &[Stage]) -> Vec<ScratchBuffer> {
    let bound = stages.iter().flat_map(|stage| stage.buffers);
    let mut buffers: Vec<ScratchBuffer> = bound
        .filter_map(|role| match role {
            BufferRole::Scratch(buffer) => Some(*buffer),
            _ => None,
        })
        .collect();
    buffers.sort_unstable();
    buffers.dedup();
    buffers
}

/// A stage whose kernel is compiled.
#[derive(Debug)]
pub(super) struct CompiledStage {
    /// The kernel's name, and the table where the kernel moves one.
    pub(super) name: String,
    pub(super) stage: Stage,
    pub(super) pipeline: Pipeline,
}

/// The compiled stages of an objective, and the buffers between them.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) stages: Vec<CompiledStage>,
    pub(super) scratch: Vec<ScratchBuffer>,
}

impl Program {
    /// Compiles the kernels of an objective.
    pub(super) fn new(
        objective: Objective,
        device: &Device,
        layout: Layout,
        output_rows: usize,
    ) -> Self {
        let stages = stages(objective, layout.span_sums_fit);
        let scratch = scratch_buffers(&stages);
        let compile = |stage: Stage| {
            let constants = stage.constants(objective, output_rows);
            let table = match stage.moves {
                None => "",
                Some(MovedTable::Input) => ": W",
                Some(MovedTable::Output) => ": W'",
            };
            CompiledStage {
                name: format!("{}{table}", stage.kernel.name),
                stage,
                pipeline: Pipeline::compile(stage.kernel, device, layout, &constants),
            }
        };
        Self {
            stages: stages.into_iter().map(compile).collect(),
            scratch,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::tests::WITH_SUBWORDS;

    /// Each stage binds as many buffers as its kernel declares, and matrices in the places of
    /// matrices, whatever the number of shards.
    #[test]
    fn stages_bind_what_their_kernels_declare() {
        for (objective, fit) in [
            (Objective::SIGMOID, true),
            (Objective::SIGMOID, false),
            (Objective::SOFTMAX, true),
            (WITH_SUBWORDS[0], true),
            (WITH_SUBWORDS[0], false),
        ] {
            let size = StepSize {
                spans: 1,
                span_groups: 1,
                centers: 1,
                targets: 1,
                parts: 1,
                words: 1,
                moves_input: true,
                moves_output: true,
                width: 1,
                row_bytes: 16,
                most_groups: 1,
                stage_work: 0,
            };
            for stage in stages(objective, fit) {
                let is_matrix = |role: &&BufferRole| match role {
                    BufferRole::Input | BufferRole::Output => true,
                    BufferRole::Scratch(buffer) => buffer.shape(&size).is_matrix,
                    _ => false,
                };
                let matrices = stage.buffers.iter().filter(is_matrix).count() as u32;
                let plain = stage.buffers.len() as u32 - matrices;
                for shards in [1, 3] {
                    assert_eq!(
                        stage.kernel.buffers(shards),
                        plain + matrices * shards,
                        "{}",
                        stage.kernel.name
                    );
                }
                let first_matrix = stage.buffers.iter().position(|role| is_matrix(&role));
                assert!(first_matrix.is_none_or(|first| first as u32 == plain));
            }
        }
    }
}
