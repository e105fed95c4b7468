//! Makes the figures and the numbers of `docs/skip-gram.md` from the bundled corpus, on the CPU,
//! the same on every run.
//!
//! ```sh
//! cargo run --release --example figures -- docs/figures
//! ```
//!
//! Writes the figures into the folder named, and prints the numbers.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use rand::Rng;
use w2v_gpu::batch::Targets;
use w2v_gpu::config::{Config, Loss, ObjectiveSettings, ScheduleSettings};
use w2v_gpu::corpus::Corpus;
use w2v_gpu::engine::Objective;
use w2v_gpu::engine::cpu::CpuEngine;
use w2v_gpu::eval::{self, Sets};
use w2v_gpu::model::{Embedding, Matrix, Model};
use w2v_gpu::sampling::{AliasTable, Key, Stream};
use w2v_gpu::train::dataset::Dataset;
use w2v_gpu::train::{TrainOptions, train};
use w2v_gpu::vectors::similarity::cosine;

/// Negatives of a window.
const NEGATIVE: u32 = 5;

/// Draws of each kind that a histogram shows.
const DRAWS: usize = 200_000;

const BLUE: RGBColor = RGBColor(0x1f, 0x77, 0xb4);
const ORANGE: RGBColor = RGBColor(0xff, 0x7f, 0x0e);
const GREY: RGBColor = RGBColor(0x7f, 0x7f, 0x7f);

fn main() -> Result<()> {
    let folder: PathBuf = std::env::args_os()
        .nth(1)
        .context("usage: figures FOLDER")?
        .into();
    std::fs::create_dir_all(&folder)?;
    positives_alone(&folder)?;
    products(&folder)?;
    softmax()?;
    averages()
}

fn bundled(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("data")
        .join(name)
}

/// Every pair within five words, every occurrence: what the formulas are about.
fn config(loss: Loss) -> Config {
    Config::with(|config| {
        config.objective.loss = loss;
        config.objective.fixed_window = true;
        config.objective.sample = Some(0.0);
        config.objective.negatives.negative = NEGATIVE;
        config.schedule.epochs = 20;
    })
}

fn dataset(config: &Config) -> Result<Dataset> {
    Ok(Dataset::prepare(
        &Corpus::open(&[bundled("corpus.txt")])?,
        config,
        |_| (),
    )?)
}

/// Trains on the CPU; the model and the loss of the last epoch.
fn trained(data: &Dataset, objective: Objective) -> Result<(Model, f64)> {
    let mut engine = CpuEngine::new(&data.model(), objective, data.config.schedule.clip, 2)?;
    let (model, summary) = train(data, &mut engine, TrainOptions::default(), |_| ())?;
    Ok((model, summary.loss))
}

/// Share of the bundled analogies that are answered rightly.
fn analogies(data: &Dataset, matrix: &Matrix) -> Result<f64> {
    let sets = Sets::read(
        &[],
        &[bundled("analogies.txt")],
        eval::EvalOptions::default(),
    )?;
    let evaluation = sets.evaluate(&data.vocab, matrix, None);
    let json = serde_json::to_value(&evaluation)?;
    json["analogies"][0]["total"]["3cosadd"]["accuracy"]
        .as_f64()
        .context("no accuracy")
}

/// What becomes of the vectors when every label is 1.
fn positives_alone(folder: &Path) -> Result<()> {
    let mut data = dataset(&config(Loss::Ns))?;
    let (with, loss_with) = trained(&data, Objective::SIGMOID)?;
    let start = data.model();
    // A context and nothing else: no option gives that, for nobody should train so.
    Arc::get_mut(&mut data.batcher)
        .context("the source is shared")?
        .targets = Arc::new(Targets::Context);
    let (without, loss_without) = trained(&data, Objective::SIGMOID)?;
    println!("## Positives alone\n");
    println!("| | loss per pair | mean cosine of two words | analogies |\n|---|---|---|---|");
    let mut cosines = Vec::new();
    for (name, model, loss) in [
        ("before training", &start, None),
        ("positives alone", &without, Some(loss_without)),
        ("with 5 negatives", &with, Some(loss_with)),
    ] {
        let of_pairs = random_cosines(&model.input);
        let mean = of_pairs.iter().sum::<f64>() / of_pairs.len() as f64;
        let loss = loss.map_or_else(String::new, |loss| format!("{loss:.3}"));
        println!(
            "| {name} | {loss} | {mean:.3} | {:.3} |",
            analogies(&data, &model.input)?
        );
        cosines.push((name, of_pairs));
    }
    println!();
    let series = [
        Series {
            name: "positives alone",
            color: ORANGE,
            values: &cosines[1].1,
        },
        Series {
            name: "with 5 negatives",
            color: BLUE,
            values: &cosines[2].1,
        },
    ];
    histogram(
        &folder.join("positives-alone.svg"),
        "cosine of two words drawn at random",
        -1.0..1.0,
        &series,
    )
}

/// Cosines of words drawn in pairs.
fn random_cosines(matrix: &Matrix) -> Vec<f64> {
    let mut rng = Key::new(1, 0, Stream::Windows).at(0);
    let mut word = || (rng.next_u64() % matrix.rows() as u64) as usize;
    (0..DRAWS)
        .map(|_| (word(), word()))
        .filter(|(a, b)| a != b)
        .map(|(a, b)| f64::from(cosine(matrix.row(a), matrix.row(b))))
        .collect()
}

/// How often each (center, context) pair occurs, and each center.
struct Pairs {
    counts: HashMap<(u32, u32), f64>,
    of_center: Vec<f64>,
}

impl Pairs {
    /// All pairs of an epoch.
    fn of(data: &Dataset) -> Result<Self> {
        let (mut counts, mut of_center) = (HashMap::new(), vec![0.0; data.vocab.len()]);
        for batch in data.batcher.batches(1) {
            let batch = batch?;
            if batch.epoch > 0 {
                break;
            }
            for (window, centers) in batch.windows_with_centers() {
                let mut targets = batch.targets_of(window).iter();
                let Some(context) = targets.find(|target| target.label()) else {
                    continue;
                };
                let context = batch.target_rows[context.slot().index()].0;
                for center in centers {
                    *counts.entry((center.0, context)).or_insert(0.0) += 1.0;
                    of_center[center.index()] += 1.0;
                }
            }
        }
        Ok(Self { counts, of_center })
    }
}

/// The products W[x]·W'[c]: of which pairs they are positive, and the line they lie on.
fn products(folder: &Path) -> Result<()> {
    let data = dataset(&config(Loss::Ns))?;
    let (model, _) = trained(&data, Objective::SIGMOID)?;
    let product = |x: u32, c: u32| -> f64 {
        let (x, c) = (model.input.row(x as usize), model.output.row(c as usize));
        x.iter().zip(c).map(|(x, c)| f64::from(x * c)).sum()
    };
    let pairs = Pairs::of(&data)?;
    let mut observed: Vec<(u32, u32)> = pairs.counts.keys().copied().collect();
    observed.sort_unstable();
    let by_count = AliasTable::new(observed.iter().map(|pair| pairs.counts[pair]));
    let centers = AliasTable::new(pairs.of_center.iter().copied());
    let noise = AliasTable::noise(
        data.vocab.counts(),
        data.config.objective.negatives.ns_exponent,
    );
    let mut rng = Key::new(2, 0, Stream::Windows).at(0);
    let seen: Vec<f64> = (0..DRAWS)
        .map(|_| observed[by_count.outcome(rng.next_u64()) as usize])
        .map(|(x, c)| product(x, c))
        .collect();
    let drawn: Vec<(u32, u32)> = (0..DRAWS)
        .map(|_| {
            (
                centers.outcome(rng.next_u64()),
                noise.outcome(rng.next_u64()),
            )
        })
        .collect();
    let sampled: Vec<f64> = drawn.iter().map(|&(x, c)| product(x, c)).collect();
    let never: Vec<f64> = drawn
        .iter()
        .filter(|pair| !pairs.counts.contains_key(pair))
        .map(|&(x, c)| product(x, c))
        .collect();

    println!("## Products W[x]·W'[c]\n");
    println!("| pairs | mean | below 0 |\n|---|---|---|");
    for (name, values) in [
        ("observed", &seen),
        ("sampled as negatives", &sampled),
        ("of these, never observed", &never),
    ] {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let below =
            values.iter().filter(|&&value| value < 0.0).count() as f64 / values.len() as f64;
        println!("| {name} | {mean:.2} | {:.1}% |", 100.0 * below);
    }
    println!();
    let series = [
        Series {
            name: "never observed",
            color: GREY,
            values: &never,
        },
        Series {
            name: "sampled as negatives",
            color: ORANGE,
            values: &sampled,
        },
        Series {
            name: "observed",
            color: BLUE,
            values: &seen,
        },
    ];
    histogram(
        &folder.join("products.svg"),
        "W[x]·W'[c]",
        -16.0..6.0,
        &series,
    )?;

    // The optimum where a negative that equals the context is left out: see the page.
    let weight = |c: u32| {
        (data.vocab.counts()[c as usize] as f64).powf(data.config.objective.negatives.ns_exponent)
    };
    let total: f64 = (0..data.vocab.len() as u32).map(weight).sum();
    let optimum = |x: u32, c: u32| {
        let count = pairs.counts[&(x, c)];
        (count / (f64::from(NEGATIVE) * (pairs.of_center[x as usize] - count) * weight(c) / total))
            .ln()
    };
    // Rare pairs are mostly chance; of 20 occurrences, the estimate of the optimum is good to about
    // a quarter.
    let often: Vec<(f64, f64, f64)> = observed
        .iter()
        .filter(|pair| pairs.counts[pair] >= 20.0)
        .map(|&(x, c)| (optimum(x, c), product(x, c), pairs.counts[&(x, c)]))
        .collect();
    println!(
        "Correlation of the products with the optimum, {} pairs seen 20 times or more: {:.3}\n",
        often.len(),
        {
            let (optima, products): (Vec<f64>, Vec<f64>) =
                often.iter().map(|&(a, b, _)| (a, b)).unzip();
            correlation(&optima, &products)
        }
    );
    scatter(&folder.join("pmi.svg"), &often)
}

/// The loss of a full softmax and the entropy that no model can come below.
fn softmax() -> Result<()> {
    let config = Config {
        objective: ObjectiveSettings {
            window: 2,
            ..(config(Loss::Softmax)).objective
        },
        schedule: ScheduleSettings {
            lr: 0.02,
            epochs: 40,
            batch: Some(4096),
            ..(config(Loss::Softmax)).schedule
        },
        ..config(Loss::Softmax)
    };
    let data = dataset(&config)?;
    let pairs = Pairs::of(&data)?;
    let total: f64 = pairs.of_center.iter().sum();
    let mut counts: Vec<(u32, f64)> = pairs
        .counts
        .iter()
        .map(|(&(x, _), &count)| (x, count))
        .collect();
    counts.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let entropy: f64 = counts
        .iter()
        .map(|&(x, count)| -count / total * (count / pairs.of_center[x as usize]).ln())
        .sum();
    let (_, loss) = trained(&data, data.objective())?;
    println!("## Softmax\n");
    println!(
        "Conditional entropy of {total} pairs: {entropy:.4}; loss after training: {loss:.4}\n"
    );
    Ok(())
}

/// Which matrix answers analogies best.
fn averages() -> Result<()> {
    let config = Config::with(|config| config.objective.sample = Some(1e-3));
    println!("## Which embedding\n");
    println!("| embedding | analogies |\n|---|---|");
    let data = dataset(&config)?;
    let (model, _) = trained(&data, Objective::SIGMOID)?;
    for (name, which) in [
        ("input", Embedding::Input),
        ("output", Embedding::Output),
        ("average", Embedding::Average),
    ] {
        println!(
            "| {name} | {:.3} |",
            analogies(&data, &model.clone().embedding(which))?
        );
    }
    Ok(())
}

fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let covariance = |x: &[f64], mx: f64, y: &[f64], my: f64| -> f64 {
        x.iter().zip(y).map(|(x, y)| (x - mx) * (y - my)).sum()
    };
    covariance(a, mean_a, b, mean_b)
        / (covariance(a, mean_a, a, mean_a) * covariance(b, mean_b, b, mean_b)).sqrt()
}

/// Values of one kind, to be shown as a histogram.
struct Series<'a> {
    name: &'static str,
    color: RGBColor,
    values: &'a [f64],
}

/// Histograms on one axis, each scaled to its own number of values.
fn histogram(
    path: &Path,
    label: &str,
    range: std::ops::Range<f64>,
    series: &[Series<'_>],
) -> Result<()> {
    const BARS: usize = 80;
    let width = (range.end - range.start) / BARS as f64;
    let shares: Vec<Vec<f64>> = series
        .iter()
        .map(|series| {
            let mut shares = vec![0.0; BARS];
            for value in series.values {
                let bar = (((value - range.start) / width).max(0.0) as usize).min(BARS - 1);
                shares[bar] += 1.0 / (series.values.len() as f64 * width);
            }
            shares
        })
        .collect();
    let highest = shares.iter().flatten().copied().fold(0.0, f64::max);
    let root = SVGBackend::new(path, (640, 320)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(48)
        .build_cartesian_2d(range.clone(), 0.0..1.05 * highest)?;
    chart
        .configure_mesh()
        .disable_mesh()
        .x_desc(label)
        .y_desc("density")
        .draw()?;
    for (series, shares) in series.iter().zip(&shares) {
        let corner = |bar: usize| range.start + bar as f64 * width;
        let outline =
            (0..BARS).flat_map(|bar| [(corner(bar), shares[bar]), (corner(bar + 1), shares[bar])]);
        let color = series.color;
        chart
            .draw_series(AreaSeries::new(outline, 0.0, color.mix(0.25)).border_style(color))?
            .label(series.name)
            .legend(move |(x, y)| {
                Rectangle::new([(x, y - 5), (x + 12, y + 5)], color.mix(0.6).filled())
            });
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .border_style(GREY)
        .draw()?;
    Ok(root.present()?)
}

/// Products against their optimum, larger dots for more frequent pairs, with the line on which both
/// are equal.
fn scatter(path: &Path, points: &[(f64, f64, f64)]) -> Result<()> {
    const RANGE: std::ops::Range<f64> = -4.0..5.0;
    let root = SVGBackend::new(path, (480, 480)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(48)
        .build_cartesian_2d(RANGE, RANGE)?;
    chart
        .configure_mesh()
        .disable_mesh()
        .x_desc("optimum: shifted PMI")
        .y_desc("W[x]·W'[c]")
        .draw()?;
    // One in several: the picture stays small.
    let step = points.len().div_ceil(500);
    chart.draw_series(
        points
            .iter()
            .step_by(step)
            .map(|&(optimum, product, count)| {
                Circle::new(
                    (optimum, product),
                    count.log10().round() as i32,
                    BLUE.mix(0.35).filled(),
                )
            }),
    )?;
    chart.draw_series(LineSeries::new(
        [(RANGE.start, RANGE.start), (RANGE.end, RANGE.end)],
        ORANGE.stroke_width(2),
    ))?;
    let style = ("sans-serif", 14)
        .into_font()
        .color(&ORANGE)
        .pos(Pos::new(HPos::Right, VPos::Bottom));
    chart.draw_series(std::iter::once(Text::new(
        "equal",
        (RANGE.end - 0.9, RANGE.end - 0.6),
        style,
    )))?;
    Ok(root.present()?)
}
