#!/usr/bin/env python3
"""Measures w2v-gpu on a machine with a GPU, in under ten minutes.

Needs the release binary, a Vulkan loader with the GPU's driver, a corpus, and Python 3 without any package; no network, no
cargo. Runs `devices`; `bench` for rows of 100, 128 and 300 elements, in f32 and, where the binary has it, f16; `bench --sweep`;
and a training run of two epochs on the GPU and on the CPU, with `eval` if evaluation files are given. Writes hardware.json
and hardware.md to a folder, after every step anew. A step that fails or takes too long is noted and passed over.

    benches/hardware.py target/release/w2v-gpu text.txt -o results --pairs wordsim353.tsv simlex999.txt --analogies questions-words.txt

With software adapters, or to try the script: --seconds 6 --text 4
"""

import argparse
import json
import os
import pathlib
import platform
import subprocess
import sys
import tempfile
import time

DIMS = (100, 128, 300)
SWEEP_SECONDS_FACTOR = 2.0


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", type=pathlib.Path, help="the release binary")
    parser.add_argument("corpus", type=pathlib.Path, help="plain text, a sentence a line")
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True, help="folder for the results")
    parser.add_argument("--pairs", type=pathlib.Path, nargs="*", default=[], help="evaluation files of word pairs")
    parser.add_argument("--analogies", type=pathlib.Path, nargs="*", default=[], help="evaluation files of analogies")
    parser.add_argument("--adapter", help="this adapter alone (index or part of its name)")
    parser.add_argument("--minutes", type=float, default=9.5, help="for everything [9.5]")
    parser.add_argument("--seconds", type=float, default=25, help="for each bench [25]")
    parser.add_argument("--text", type=float, help="use only so many MB of the corpus")
    parser.add_argument("--epochs", type=int, default=2, help="of the training runs [2]")
    args = parser.parse_args()
    for path in [args.binary, args.corpus, *args.pairs, *args.analogies]:
        if not path.exists():
            parser.error(f"there is no {path}")
    return args


class Measurement:
    """All steps, within the time; what they gave and what failed."""

    def __init__(self, args):
        self.args = args
        self.ends = time.monotonic() + 60 * args.minutes
        self.results = {
            "date": time.strftime("%Y-%m-%d"),
            "machine": machine(),
            "program": self.text(["--version"]),
            "corpus": {"bytes": args.corpus.stat().st_size},
            "devices": None,
            "bench": [],
            "sweep": [],
            "training": [],
            "failures": [],
        }

    def text(self, arguments):
        return subprocess.run([self.args.binary, *arguments], capture_output=True, text=True, timeout=60).stdout.strip()

    def step(self, what, arguments, limit):
        """Runs the binary for at most `limit` seconds and gives what it prints as JSON, or None."""
        left = self.ends - time.monotonic()
        print(f"{what} ({left:.0f} s left)", file=sys.stderr, flush=True)
        if left < 5:
            return self.fail(what, "no time was left")
        command = [str(part) for part in (self.args.binary, *arguments)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=min(limit, left))
        except subprocess.TimeoutExpired as expired:
            return self.fail(what, f"took longer than {expired.timeout:.0f} s")
        if done.returncode != 0:
            lines = [line for line in done.stderr.splitlines() if line.startswith("error")] or [done.stderr[-500:]]
            return self.fail(what, f"exit code {done.returncode}: {' '.join(lines)}")
        try:
            return json.loads(done.stdout)
        except ValueError as error:
            return self.fail(what, f"no JSON: {error}")

    def fail(self, what, why):
        print(f"  failed: {why}", file=sys.stderr, flush=True)
        self.results["failures"].append({"step": what, "why": why})
        self.save()

    def save(self):
        folder = self.args.output
        (folder / "hardware.json").write_text(json.dumps(self.results, indent=2) + "\n")
        (folder / "hardware.md").write_text(markdown(self.results))


def machine():
    cpu = platform.processor() or platform.machine()
    try:
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                cpu = line.split(":", 1)[1].strip()
                break
    except OSError:
        pass
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"processor": cpu, "cores": cores, "system": platform.platform()}


def cut(corpus, megabytes, folder):
    """The first lines of a corpus, as a file."""
    path = pathlib.Path(folder) / "corpus.txt"
    with open(corpus, "rb") as whole, open(path, "wb") as part:
        part.writelines(whole.readlines(int(megabytes * 1e6)))
    return path


def measure(measurement, corpus, folder):
    args, results = measurement.args, measurement.results
    adapter = ["--adapter", args.adapter] if args.adapter else []
    # Of older binaries there is no such option.
    storages = ["f32", "f16"] if "--storage" in measurement.text(["bench", "--help"]) else [None]
    results["devices"] = measurement.step("devices", ["devices", "--json"], 60)
    measurement.save()

    for dim in DIMS:
        for storage in storages:
            options = ["--dim", dim, *(["--storage", storage] if storage else [])]
            arguments = ["bench", corpus, "--json", "--seconds", args.seconds, *options, *adapter]
            report = measurement.step(f"bench, dim {dim}, {storage or 'f32'}", arguments, 2 * args.seconds + 30)
            if report:
                results["bench"].append({"dim": dim, "storage": storage or "f32", "report": report})
                measurement.save()

    seconds = SWEEP_SECONDS_FACTOR * args.seconds
    report = measurement.step("sweep", ["bench", corpus, "--json", "--sweep", "--seconds", seconds, *adapter], 2 * seconds + 30)
    if report:
        results["sweep"] = report["sweeps"]
        measurement.save()

    runs = [("gpu", storage) for storage in storages] + [("cpu", None)]
    for engine, storage in runs:
        vectors = pathlib.Path(folder) / f"{engine}-{storage}.bin"
        options = [*(["--storage", storage] if storage else []), *(adapter if engine == "gpu" else [])]
        arguments = ["train", corpus, "-o", vectors, "--engine", engine, "--epochs", args.epochs, "-q", "--json", *options]
        what = f"training on {engine}, {storage or 'f32'}"
        # Half of the time that is left, so that some is left for the next one.
        report = measurement.step(what, arguments, max(30, (measurement.ends - time.monotonic()) / 2))
        if not report:
            continue
        run = {"engine": engine, "storage": storage or "f32", "report": report, "eval": None}
        results["training"].append(run)
        if args.pairs or args.analogies:
            sets = [*(["--pairs", *args.pairs] if args.pairs else [])]
            sets += [*(["--analogies", *args.analogies] if args.analogies else [])]
            run["eval"] = measurement.step(f"evaluation of {engine}, {storage or 'f32'}", ["eval", vectors, *sets, "--json"], 60)
        measurement.save()


def million(value):
    return f"{value / 1e6:.2f}"


def percent(share):
    return "-" if share is None else f"{100 * share:.0f}%"


def table(header, rows):
    lines = [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"]
    return "\n".join(lines + [f"| {' | '.join(str(cell) for cell in row)} |" for row in rows]) + "\n"


def scores(evaluation):
    """Name and score of each evaluation file."""
    if not evaluation:
        return []
    pairs = [(pathlib.Path(pair["file"]).stem, pair["spearman"]) for pair in evaluation["pairs"]]
    analogies = [
        (pathlib.Path(set["file"]).stem, (set["total"].get("3cosadd") or {}).get("accuracy"))
        for set in evaluation["analogies"]
    ]
    return pairs + analogies


def markdown(results):
    machine = results["machine"]
    parts = [f"{results['program']} on {machine['processor']}, {machine['cores']} cores, {machine['system']}\n"]
    for device in results["devices"] or []:
        parts.append(f"{device['index']}: {device['name']} ({device['backend']}, {device['kind']}), {device['driver']}\n")
    speeds, kernels = [], []
    for bench in results["bench"]:
        settings = [bench["dim"], bench["storage"]]
        ratio = bench["report"]["gpu_over_cpu"]
        for engine in bench["report"]["engines"]:
            if "error" in engine:
                speeds.append([*settings, engine["name"], engine["error"], *[""] * 7])
                continue
            end_to_end = engine["end_to_end"]
            speeds.append([
                *settings,
                engine["name"],
                million(engine["words_per_second"]),
                million(end_to_end["words_per_second"]),
                f"{ratio['engine']:.2f}" if ratio and ratio["gpu"] == engine["name"] else "",
                percent(engine["busy"]),
                percent(end_to_end["busy"]),
                f"{engine['bytes_per_second'] / 1e9:.1f}",
                percent(engine["bytes_per_second"] / engine["copy_bytes_per_second"]),
                f"{engine['loss']['per_pair']:.4f} ({engine['loss']['batches']})",
            ])
            for stage in engine["stages"]:
                bandwidth = stage["bytes_per_second"]
                kernels.append([
                    *settings,
                    engine["name"],
                    stage["name"] + ("" if stage["on_device"] else " (host)"),
                    f"{stage['nanoseconds_per_word']:.2f}",
                    percent(stage["share"]),
                    f"{bandwidth / 1e9:.1f}" if bandwidth else "-",
                ])
    header = ["dim", "storage", "engine", "M words/s", "end to end", "GPU / CPU", "busy", "busy end to end", "GB/s",
              "of a copy", "loss (batches)"]
    parts.append("## Speed\n\n" + table(header, speeds))
    parts.append("## Stages\n\n" + table(["dim", "storage", "engine", "stage", "ns a word", "share", "GB/s"], kernels))
    best = []
    for sweep in results["sweep"]:
        tried = [f"{trial['value']}: {million(trial['words_per_second'])}" for trial in sweep["trials"] if trial["words_per_second"]]
        best.append([sweep["name"], sweep["knob"], sweep["best"], ", ".join(tried)])
    parts.append("## Sweep\n\n" + table(["engine", "setting", "best", "M words/s of each"], best))
    runs, names = [], []
    for run in results["training"]:
        report, found = run["report"], scores(run["eval"])
        names = [name for name, _ in found] or names
        runs.append([
            report["engine"],
            run["storage"],
            million(report["words_per_second"]),
            f"{report['seconds']['train']:.1f}",
            percent(report["seconds"]["of_it_waiting_for_batches"] / report["seconds"]["train"]),
            f"{report['training']['loss']:.4f}",
            *["-" if score is None else f"{score:.3f}" for _, score in found],
        ])
    parts.append("## Training\n\n" + table(["engine", "storage", "M words/s", "seconds", "waiting", "loss", *names], runs))
    if results["failures"]:
        parts.append("## Failures\n\n" + "".join(f"- {failure['step']}: {failure['why']}\n" for failure in results["failures"]))
    return "\n".join(parts)


def main():
    args = parse()
    args.binary = args.binary.resolve()
    args.output.mkdir(parents=True, exist_ok=True)
    measurement = Measurement(args)
    with tempfile.TemporaryDirectory() as folder:
        corpus = cut(args.corpus, args.text, folder) if args.text else args.corpus
        measurement.results["corpus"]["used"] = corpus.stat().st_size
        measure(measurement, corpus, folder)
    measurement.save()
    print((args.output / "hardware.md").read_text())
    sys.exit(1 if not measurement.results["bench"] else 0)


if __name__ == "__main__":
    main()
