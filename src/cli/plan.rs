//! Shows the needs of a run, as a line before it starts and as the table of `train --dry-run`.

use std::io::{self, Write};

use crate::engine::memory::Allocation;
use crate::error::shown;
use crate::quantity::{bytes, count, plural, seconds, short};
use crate::train::plan::{DeviceMemory, Estimate, HostMemory, Plan, Stored};
use anyhow::Result;
use serde::Serialize;

use super::terminal::{escaped, table_with_notes};

/// The report that `--dry-run` prints.
#[derive(Serialize)]
pub(super) struct PlanReport<'a> {
    pub(super) plan: &'a Plan,
    /// The reason why the run cannot start, if there is one.
    pub(super) refused: Option<String>,
    pub(super) engine: Option<String>,
    /// The estimated time; `None` if the run cannot start.
    pub(super) estimate: Option<Estimate>,
}

impl PlanReport<'_> {
    /// Prints the report on stdout.
    pub(super) fn print(&self, json: bool) -> Result<()> {
        let mut out = io::stdout().lock();
        if json {
            writeln!(out, "{}", serde_json::to_string_pretty(self)?)?;
        } else {
            table_with_notes(&self.rows(), &mut out)?;
        }
        Ok(())
    }

    fn rows(&self) -> Vec<Vec<String>> {
        let Plan {
            vocabulary,
            input_rows,
            output_rows,
            dim,
            epochs,
            words,
            batches,
            batch,
            ranks,
            host,
            device,
            disk,
        } = self.plan;
        let line =
            |what: &str, number: String, unit: String| vec![format!("  {what}"), number, unit];
        let mut rows = vec![
            heading("run"),
            line("vocabulary", count(*vocabulary), "words".to_owned()),
            line(
                if input_rows == vocabulary {
                    "centers"
                } else {
                    "words and n-grams"
                },
                count(*input_rows),
                format!("rows of {dim} in W"),
            ),
            line(
                "targets",
                count(*output_rows),
                format!("rows of {dim} in W'"),
            ),
            line("text", count(*words), format!("words, --epochs {epochs}")),
            line(
                "batches, about",
                count(*batches),
                format!("of {}", plural(*batch, "window")),
            ),
        ];
        rows.extend(ranks.iter().map(|ranks| {
            let unit = format!("meetings, {} sent by each in one", bytes(ranks.bytes));
            line(
                "ranks",
                count(ranks.ranks),
                format!("{} {unit}", count(ranks.meetings)),
            )
        }));
        rows.extend(host_rows(host));
        rows.extend(device.iter().flat_map(device_rows));
        rows.extend(disk_rows(disk));
        if let Some(estimate) = self.estimate {
            let tried = format!(
                "words/s over {} in {}",
                plural(estimate.words, "word"),
                seconds(estimate.seconds)
            );
            rows.extend([
                heading("time"),
                line("speed", short(estimate.words_per_second), tried),
            ]);
            let engine = self.engine.clone().unwrap_or_default();
            rows.push(line(
                "training, about",
                seconds(estimate.training_seconds),
                engine,
            ));
        }
        rows
    }
}

fn heading(text: &str) -> Vec<String> {
    vec![text.to_owned()]
}

fn buffer_rows(buffers: &[Allocation], note: &str) -> impl Iterator<Item = Vec<String>> {
    buffers.iter().map(move |buffer| {
        vec![
            format!("  {}", buffer.what),
            bytes(buffer.bytes),
            note.to_owned(),
        ]
    })
}

fn host_rows(host: &HostMemory) -> Vec<Vec<String>> {
    let HostMemory {
        held,
        buffers,
        needed,
        available,
    } = host;
    let mut rows = vec![heading("memory")];
    rows.extend(buffer_rows(held, "held by now"));
    rows.extend(buffer_rows(buffers, ""));
    rows.push(vec![
        "  to come, in all".to_owned(),
        bytes(*needed),
        free(*available),
    ]);
    rows
}

fn device_rows(device: &DeviceMemory) -> Vec<Vec<String>> {
    let DeviceMemory {
        adapter,
        buffers,
        needed,
        shares_memory,
        max_binding,
        bindings,
    } = device;
    let mut rows = vec![heading(&format!("memory of {}", escaped(adapter)))];
    rows.extend(buffer_rows(buffers, ""));
    for (row, table) in (1..).zip(["W", "W'"]) {
        debug_assert_eq!(rows[row][0].trim(), table);
        rows[row][2] = format!(
            "in {} of up to {}",
            plural(*bindings, "binding"),
            bytes(*max_binding)
        );
    }
    let note = if *shares_memory {
        "part of the memory above"
    } else {
        ""
    };
    rows.push(vec!["  in all".to_owned(), bytes(*needed), note.to_owned()]);
    rows
}

fn disk_rows(disk: &[Stored]) -> Vec<Vec<String>> {
    let mut rows = vec![heading("disk")];
    for Stored {
        what,
        folder,
        bytes: size,
        written,
        available,
    } in disk
    {
        let note = if *written {
            "written".to_owned()
        } else {
            free(*available)
        };
        rows.push(vec![
            format!("  {what} in {}", shown(folder)),
            bytes(*size),
            note,
        ]);
    }
    rows
}

fn free(available: Option<u64>) -> String {
    available.map_or_else(String::new, |free| format!("of {} free", bytes(free)))
}

/// The plan in two lines, and one more for several ranks.
pub(super) fn lines(plan: &Plan) -> Vec<String> {
    let Plan {
        input_rows,
        output_rows,
        dim,
        epochs,
        words,
        batches,
        batch,
        ranks,
        host,
        device,
        disk,
        ..
    } = plan;
    let device = device.as_ref().map_or_else(String::new, |device| {
        let bindings = plural(device.bindings, "binding");
        format!(
            "; {} on the device, a matrix in {bindings}",
            bytes(device.needed)
        )
    });
    let to_write: u64 = disk
        .iter()
        .filter(|stored| !stored.written)
        .map(|stored| stored.bytes)
        .sum();
    let of_ranks = ranks.as_ref().map(|ranks| {
        format!(
            "plan: {} that {} about {}; each then sends at most {} on average",
            plural(ranks.ranks, "rank"),
            if ranks.exact {
                "share each step,"
            } else {
                "meet"
            },
            plural(ranks.meetings, "time"),
            bytes(ranks.bytes),
        )
    });
    let all = [
        format!(
            "plan: matrices of {} and {} x {dim} ({}), {} of {}, about {} of {}",
            count(*input_rows),
            plural(*output_rows, "row"),
            bytes((input_rows + output_rows) * dim * 4),
            plural(u64::from(*epochs), "epoch"),
            plural(*words, "word"),
            plural(*batches, "batch"),
            plural(*batch, "window"),
        ),
        format!(
            "plan: {} of memory{}{device}; {} to be written",
            bytes(host.needed),
            host.available
                .map_or_else(String::new, |free| format!(", {} free", bytes(free))),
            bytes(to_write)
        ),
    ];
    all.into_iter().chain(of_ranks).collect()
}
