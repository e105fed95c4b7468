//! What a run needs, as a line before it starts and as the table of `train --dry-run`.

use std::io::{self, Write};
use std::time::Duration;

use anyhow::Result;
use indicatif::{HumanCount, HumanDuration};
use serde::Serialize;
use w2v_gpu::engine::sizes::Allocation;
use w2v_gpu::plan::{Device, Estimate, Host, Plan, Stored};

use super::terminal::{escaped, table_with_notes};

/// What `--dry-run` prints.
#[derive(Serialize)]
pub(super) struct Report<'a> {
    pub(super) plan: &'a Plan,
    /// Why the run cannot start, if so.
    pub(super) refused: Option<String>,
    pub(super) engine: Option<String>,
    /// Where the run can start.
    pub(super) estimate: Option<Estimate>,
}

impl Report<'_> {
    /// Prints it on stdout.
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
        let Plan { vocabulary, output_rows, dim, epochs, words, batches, batch, host, device, disk } = self.plan;
        let count = |count: u64| HumanCount(count).to_string();
        let line = |what: &str, number: String, unit: String| vec![format!("  {what}"), number, unit];
        let mut rows = vec![
            heading("run"),
            line("vocabulary", count(*vocabulary), format!("rows of {dim} in W")),
            line("targets", count(*output_rows), format!("rows of {dim} in W'")),
            line("text", count(*words), format!("words, --epochs {epochs}")),
            line("batches, about", count(*batches), format!("of {} windows", HumanCount(*batch))),
        ];
        rows.extend(host_rows(host));
        rows.extend(device.iter().flat_map(device_rows));
        rows.extend(disk_rows(disk));
        if let Some(Estimate { words, seconds, words_per_second, training_seconds }) = self.estimate {
            let speed = format!("{:.2} M", words_per_second / 1e6);
            let tried = format!("words/s over {} words in {seconds:.1} s", HumanCount(words));
            rows.extend([heading("time"), line("speed", speed, tried)]);
            rows.push(line("training, about", duration(training_seconds), self.engine.clone().unwrap_or_default()));
        }
        rows
    }
}

fn heading(text: &str) -> Vec<String> {
    vec![text.to_owned()]
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

fn duration(seconds: f64) -> String {
    match seconds {
        ..100.0 => format!("{seconds:.1} s"),
        _ => HumanDuration(Duration::from_secs_f64(seconds.min(1e9))).to_string(),
    }
}

fn buffer_rows(buffers: &[Allocation], note: &str) -> impl Iterator<Item = Vec<String>> {
    buffers.iter().map(move |buffer| vec![format!("  {}", buffer.what), megabytes(buffer.bytes), note.to_owned()])
}

fn host_rows(host: &Host) -> Vec<Vec<String>> {
    let Host { held, buffers, needed, available } = host;
    let mut rows = vec![heading("memory")];
    rows.extend(buffer_rows(held, "held by now"));
    rows.extend(buffer_rows(buffers, ""));
    rows.push(vec!["  to come, in all".to_owned(), megabytes(*needed), free(*available)]);
    rows
}

fn device_rows(device: &Device) -> Vec<Vec<String>> {
    let Device { adapter, buffers, needed, shares_memory, max_binding, bindings } = device;
    let mut rows = vec![heading(&format!("memory of {}", escaped(adapter)))];
    rows.extend(buffer_rows(buffers, ""));
    for (row, table) in (1..).zip(["W", "W'"]) {
        debug_assert_eq!(rows[row][0].trim(), table);
        rows[row][2] = format!("in {} of up to {}", in_bindings(*bindings), megabytes(*max_binding));
    }
    let note = if *shares_memory { "part of the memory above" } else { "" };
    rows.push(vec!["  in all".to_owned(), megabytes(*needed), note.to_owned()]);
    rows
}

fn disk_rows(disk: &[Stored]) -> Vec<Vec<String>> {
    let mut rows = vec![heading("disk")];
    for Stored { what, folder, bytes, written, available } in disk {
        let note = if *written { "written".to_owned() } else { free(*available) };
        rows.push(vec![format!("  {what} in {}", escaped(&folder.display().to_string())), megabytes(*bytes), note]);
    }
    rows
}

fn in_bindings(bindings: u64) -> String {
    format!("{bindings} binding{}", if bindings == 1 { "" } else { "s" })
}

fn free(available: Option<u64>) -> String {
    available.map_or_else(String::new, |bytes| format!("of {} free", megabytes(bytes)))
}

/// The plan in two lines.
pub(super) fn lines(plan: &Plan) -> [String; 2] {
    let Plan { vocabulary, output_rows, dim, epochs, words, batches, batch, host, device, disk } = plan;
    let device = device.as_ref().map_or_else(String::new, |device| {
        let bindings = in_bindings(device.bindings);
        format!("; {} on the device, a matrix in {bindings}", megabytes(device.needed))
    });
    let to_write: u64 = disk.iter().filter(|stored| !stored.written).map(|stored| stored.bytes).sum();
    [
        format!(
            "plan: matrices of {} and {} rows x {dim} ({}), {epochs} epochs of {} words, about {} batches of {} windows",
            HumanCount(*vocabulary),
            HumanCount(*output_rows),
            megabytes((vocabulary + output_rows) * dim * 4),
            HumanCount(*words),
            HumanCount(*batches),
            HumanCount(*batch),
        ),
        format!(
            "plan: {} of memory{}{device}; {} to be written",
            megabytes(host.needed),
            host.available.map_or_else(String::new, |bytes| format!(", {} free", megabytes(bytes))),
            megabytes(to_write)
        ),
    ]
}
