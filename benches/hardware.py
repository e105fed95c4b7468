#!/usr/bin/env python3
"""Measures w2v-gpu on a machine with a GPU, in nine minutes.

That machine needs Python 3.9 and no package, no network, no cargo. It gets the release binary, a corpus, and what there is of
the rest: the unit tests of the library, a Vulkan loader, evaluation files. On the machine that builds:

    cargo build --release && strip -o w2v-gpu target/release/w2v-gpu
    cargo test --release --lib --no-run          # prints where the unit tests lie: --tests
    apt-get download libvulkan1 libegl1 libglvnd0 libopengl0 libgl1 libglx0 libx11-6 libxext6 libxcb1 libxau6 libxdmcp6 \\
        libbsd0 libmd0                           # --loader, where the other machine has no loader of its own

On the machine with the GPU:

    benches/hardware.py w2v-gpu text.txt.zst -o results --tests w2v_gpu-HASH --loader FOLDER \\
        --pairs wordsim353.tsv simlex999.txt --analogies questions-words.txt

The steps, in this order: unit tests of the GPU engine; two equal runs, and the CPU engine's vectors beside theirs; batches of
2,048 to 65,536 windows; a sweep of settings; whole runs on 2 to 16 threads; rows of 64 to 512 elements, and 16-bit storage; the
CPU engine; FULL-W2V's setting; quality after two epochs. `--only bench threads` takes just these. Each step has a limit of
its own; what fails or takes too long is noted and passed over. hardware.json and hardware.md are written anew after every step.
The table of predictions holds readings against what a walk through the source led to expect of one H100.

With a software adapter, or to try the script: --minutes 2 --seconds 2 --small
"""

import argparse
import array
import json
import math
import os
import pathlib
import platform
import subprocess
import sys
import tempfile
import time

BATCHES = (8192, 65536, 2048, 16384, 32768)
THREADS = (16, 8, 4, 2, 12, 14)
DIMS = (100, 300, 64, 512)
STEPS = ("tests", "equal", "bench", "sweep", "threads", "dims", "f16", "cpu", "full-w2v", "quality")
# Where drivers describe themselves to the loader beside the usual folders.
DRIVERS = ("/usr/local/nvidia/share/vulkan/icd.d/nvidia_icd.json", "/etc/vulkan/icd.d/nvidia_icd.json")
# Expected of one H100 at 128 elements, window 5, 5 negatives and batches of so many windows. Ranges are inclusive.
PREDICTIONS = {
    "packing, upload and submission, ns a window": {8192: (22, 30), 65536: (22, 30)},
    "window kernel, us a batch": {8192: (65, 130), 16384: (70, 140), 65536: (130, 330)},
    "all kernels, us a batch": {8192: (95, 170), 16384: (115, 190), 65536: (310, 720)},
    "ready batches, M words/s": {8192: (65, 85), 65536: (65, 85)},
    "end to end, M words/s": {8192: (50, 75), 65536: (50, 75)},
    "device busy end to end, %": {8192: (20, 45), 65536: (20, 45)},
}
BATCHER_PREDICTION = ("batcher alone on 16 threads, M windows/s", (60, 80))


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", type=pathlib.Path, help="the release binary")
    parser.add_argument("corpus", type=pathlib.Path, help="text, a sentence a line, packed or not")
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True, help="folder for the results")
    parser.add_argument("--tests", type=pathlib.Path, help="the library's unit tests, built with --release")
    parser.add_argument("--loader", type=pathlib.Path, help="folder of Debian packages: a Vulkan loader and what it needs")
    parser.add_argument("--pairs", type=pathlib.Path, nargs="*", default=[], help="evaluation files of word pairs")
    parser.add_argument("--analogies", type=pathlib.Path, nargs="*", default=[], help="evaluation files of analogies")
    parser.add_argument("--adapter", help="this adapter alone (index or part of its name)")
    parser.add_argument("--only", nargs="+", choices=STEPS, default=STEPS, metavar="STEP", help="these steps alone")
    parser.add_argument("--minutes", type=float, default=9, help="for everything [9]")
    parser.add_argument("--seconds", type=float, default=10, help="for each bench [10]")
    parser.add_argument("--epochs", type=int, default=10, help="of the runs whose speed counts [10]")
    parser.add_argument("--small", action="store_true", help="tiny rows and batches, software adapters too")
    args = parser.parse_args()
    for path in [args.binary, args.corpus, args.tests, args.loader, *args.pairs, *args.analogies]:
        if path and not path.exists():
            parser.error(f"there is no {path}")
    return args


class Measurement:
    """All steps within the time, what they gave, and what failed."""

    def __init__(self, args, folder):
        self.args, self.folder = args, folder
        self.ends = time.monotonic() + 60 * args.minutes
        self.environment = environment(args.loader, folder)
        self.adapter = ["--adapter", args.adapter] if args.adapter else []
        self.results = {
            "date": time.strftime("%Y-%m-%d"),
            "program": None,
            "machine": machine(),
            "devices": [],
            "tests": None,
            "equal": None,
            "bench": [],
            "sweep": [],
            "runs": [],
            "quality": None,
            "failures": [],
        }

    def left(self):
        return self.ends - time.monotonic()

    def run(self, what, command, limit):
        """Runs a command for at most `limit` seconds; gives what it printed, or None where it failed."""
        limit = min(limit, self.left())
        print(f"{what} ({self.left():.0f} s left)", file=sys.stderr, flush=True)
        if limit < 3:
            return self.fail(what, "no time was left")
        command = [str(part) for part in command]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=limit, env=self.environment)
        except subprocess.TimeoutExpired:
            return self.fail(what, f"took longer than {limit:.0f} s")
        except OSError as error:
            return self.fail(what, str(error))
        if done.returncode != 0:
            said = [line for line in done.stderr.splitlines() if line.startswith("error")] or [done.stderr[-500:]]
            return self.fail(what, f"exit code {done.returncode}: {' '.join(said)} {done.stdout[-300:]}".strip())
        return done.stdout

    def json(self, what, arguments, limit):
        """Runs the program, and gives what it printed as JSON, or None."""
        printed = self.run(what, [self.args.binary, *arguments], limit)
        if printed is None:
            return None
        try:
            return json.loads(printed)
        except ValueError as error:
            return self.fail(what, f"no JSON: {error}")

    def fail(self, what, why):
        print(f"  failed: {why}", file=sys.stderr, flush=True)
        self.results["failures"].append({"step": what, "why": why})
        self.save()

    def save(self):
        (self.args.output / "hardware.json").write_text(json.dumps(self.results, indent=2) + "\n")
        (self.args.output / "hardware.md").write_text(markdown(self.results))

    def bench(self, what, dim, options=(), engine="gpu", adapter=True):
        """One bench, with the clocks of the device right after it."""
        seconds = self.args.seconds
        arguments = ["bench", self.args.corpus, "--engine", engine, "--dim", dim, "--seconds", seconds, "--text", "60M"]
        arguments += ["--json", "-q", *options, *(self.adapter if adapter else [])]
        report = self.json(what, arguments, 3 * seconds + 20)
        if report:
            self.results["bench"].append({"what": what, "dim": dim, "clocks": clocks(), "report": report})
            self.save()

    def train(self, what, vectors, options=(), engine="gpu", limit=60):
        """One run, with its report."""
        arguments = ["train", self.args.corpus, "-o", vectors, "--engine", engine, "-q", "--json", *options]
        report = self.json(what, [*arguments, *(self.adapter if engine == "gpu" else [])], limit)
        if report:
            self.results["runs"].append({"what": what, "clocks": clocks(), "report": report})
            self.save()
        return report


def environment(packages, folder):
    """The variables of the program: a loader that was brought along, unpacked, where there is one."""
    variables = dict(os.environ, XDG_RUNTIME_DIR=str(folder))
    debs = sorted(packages.glob("*.deb")) if packages else []
    for deb in debs:
        subprocess.run(["dpkg", "-x", deb, folder / "loader"], check=False)
    if debs:
        libraries = {str(library.parent) for library in (folder / "loader").rglob("*.so.*")}
        own = os.environ.get("LD_LIBRARY_PATH")
        variables["LD_LIBRARY_PATH"] = os.pathsep.join([*sorted(libraries), *([own] if own else [])])
    return variables


def output_of(*command):
    """What a tool prints; nothing where it is not there."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=20).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def machine():
    """Processor, cores and system, and what NVIDIA's tool says of memory and of the window through which hosts write it."""
    processor = platform.processor() or platform.machine()
    for line in output_of("lscpu").splitlines():
        if line.startswith("Model name"):
            processor = line.split(":", 1)[1].strip()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "processor": processor,
        "cores": cores,
        "system": platform.platform(),
        "lscpu": output_of("lscpu"),
        "nvidia_smi": output_of("nvidia-smi", "-q", "-d", "MEMORY,CLOCK"),
    }


def clocks():
    """Clocks, temperature and power right now, as NVIDIA's tool gives them."""
    return output_of("nvidia-smi", "--query-gpu=clocks.sm,clocks.mem,temperature.gpu,power.draw", "--format=csv,noheader").strip()


def find_device(measurement):
    """Finds an adapter that is hardware, by a driver's own description if the loader knows none; whether there is one."""
    candidates = [None, *(path for path in DRIVERS if pathlib.Path(path).exists())]
    # Last a description of our own: NVIDIA's driver is in this library too.
    own = measurement.folder / "nvidia.json"
    own.write_text(json.dumps({"file_format_version": "1.0.0", "ICD": {"library_path": "libEGL_nvidia.so.0", "api_version": "1.3"}}))
    for driver in [*candidates, str(own)]:
        if driver:
            measurement.environment["VK_DRIVER_FILES"] = driver
        devices = measurement.json(f"devices, {driver or 'as the loader finds them'}", ["devices", "--json"], 30) or []
        if any(device["kind"] != "software" for device in devices) or (measurement.args.small and devices):
            measurement.results["devices"] = devices
            return True
    return measurement.fail("devices", "no hardware adapter was found")


def unit_tests(measurement):
    if measurement.args.tests is None:
        return measurement.fail("tests", "no --tests was given")
    ignored = [] if measurement.args.small else ["--include-ignored"]
    command = [measurement.args.tests, "engine::gpu", "--test-threads", "4", *ignored]
    printed = measurement.run("tests", command, 90)
    if printed is not None:
        lines = [line for line in printed.splitlines() if line.startswith("test result")]
        measurement.results["tests"] = lines[-1] if lines else printed[-200:]


def equal_runs(measurement):
    """Two runs must give the same file, and the CPU engine nearly the same vectors."""
    paths = [measurement.folder / f"{name}.bin" for name in ("gpu-1", "gpu-2", "cpu")]
    dim = 16 if measurement.args.small else 100
    for path, engine in zip(paths, ("gpu", "gpu", "cpu")):
        if not measurement.train(f"equal, {path.stem}", path, ["--epochs", 1, "--dim", dim], engine):
            return
    first, second = (path.read_bytes() for path in paths[:2])
    measurement.results["equal"] = {"same_bytes": first == second, **cosines(paths[0], paths[2])}


def vectors_of(path):
    """Words and vectors of a word2vec file in binary."""
    data = path.read_bytes()
    end = data.index(b"\n")
    rows, dim = map(int, data[:end].split())
    at, words, vectors = end + 1, [], []
    for _ in range(rows):
        space = data.index(b" ", at)
        words.append(data[at:space].lstrip(b"\n"))
        at = space + 1 + 4 * dim
        vectors.append(array.array("f", data[space + 1 : at]))
    return words, vectors


def cosines(one, other):
    """Mean and least cosine of the vectors of equal words, and whether all values are finite numbers."""
    (words, left), (others, right) = vectors_of(one), vectors_of(other)
    if words != others:
        return {"error": "the vocabularies differ"}

    def dot(a, b):
        return sum(map(lambda x, y: x * y, a, b))

    lengths = [dot(a, a) * dot(b, b) for a, b in zip(left, right)]
    finite = all(map(math.isfinite, lengths))
    found = [dot(a, b) / math.sqrt(length) for a, b, length in zip(left, right, lengths) if finite and length > 0]
    return {"words": len(words), "finite": finite, "mean": sum(found) / len(found) if found else None, "least": min(found, default=None)}


def measure(measurement):
    """All steps that are asked for, the most telling first."""
    args, folder = measurement.args, measurement.folder
    small = args.small
    dim = 16 if small else 128
    cache = ["--cache", folder / "cache"]

    def batches():
        for batch in (256, 512) if small else BATCHES:
            measurement.bench(f"batch {batch}", dim, ["--batch", batch])

    def sweep():
        seconds = 4 * args.seconds
        arguments = ["bench", args.corpus, "--engine", "gpu", "--dim", dim, "--sweep", "--seconds", seconds, "--text", "60M"]
        report = measurement.json("sweep", [*arguments, "--json", "-q", *measurement.adapter], 2 * seconds + 20)
        measurement.results["sweep"] = report["sweeps"] if report else []

    def threads():
        for count in (2, 1) if small else THREADS:
            options = ["--dim", dim, "--epochs", args.epochs, "--threads", count, *cache]
            measurement.train(f"{count} threads", folder / "threads.bin", options)

    def dims():
        for other in (8, 24) if small else DIMS:
            measurement.bench(f"rows of {other}", other)

    def quality():
        vectors = folder / "quality.bin"
        if not measurement.train("quality", vectors, ["--dim", 16 if small else 100, "--epochs", 2, *cache]):
            return
        sets = [*(["--pairs", *args.pairs] if args.pairs else []), *(["--analogies", *args.analogies] if args.analogies else [])]
        if sets:
            measurement.results["quality"] = measurement.json("evaluation", ["eval", vectors, *sets, "--json"], 60)

    full_w2v = ["--window", 3, "--fixed-window", "--sample", "1e-3"]
    steps = {
        "tests": lambda: unit_tests(measurement),
        "equal": lambda: equal_runs(measurement),
        "bench": batches,
        "sweep": sweep,
        "threads": threads,
        "dims": dims,
        "f16": lambda: measurement.bench("16-bit storage", dim, ["--storage", "f16"]),
        "cpu": lambda: measurement.bench("CPU engine", dim, engine="cpu", adapter=False),
        "full-w2v": lambda: measurement.train(
            "FULL-W2V's setting", folder / "full.bin", ["--dim", dim, "--epochs", args.epochs, *full_w2v, *cache]
        ),
        "quality": quality,
    }
    for name in STEPS:
        if name in args.only:
            steps[name]()
            measurement.save()


def million(value):
    return f"{value / 1e6:.2f}"


def percent(share):
    return "-" if share is None else f"{100 * share:.0f}%"


def table(header, rows):
    lines = [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"]
    return "\n".join(lines + [f"| {' | '.join(str(cell) for cell in row)} |" for row in rows]) + "\n"


def measured_engines(results):
    """Each bench with each engine that it could measure."""
    for bench in results["bench"]:
        for engine in bench["report"]["engines"]:
            if "error" not in engine:
                yield bench, engine


def batch_readings(bench, engine):
    """What is predicted of a batch size, as read."""
    batch = bench["report"]["config"]["batch"]
    words = engine["words_per_second"] / engine["windows_per_second"]
    host = sum(stage["nanoseconds_per_word"] for stage in engine["stages"] if stage["name"] in ("pack", "upload", "submit"))
    device = {stage["name"]: stage["nanoseconds_per_word"] for stage in engine["stages"] if stage["on_device"]}
    end_to_end = engine["end_to_end"]
    readings = {
        "packing, upload and submission, ns a window": host * words,
        "ready batches, M words/s": engine["words_per_second"] / 1e6,
        "end to end, M words/s": end_to_end["words_per_second"] / 1e6,
    }
    if device:
        readings["window kernel, us a batch"] = device.get("window", 0) * words * batch / 1e3
        readings["all kernels, us a batch"] = sum(device.values()) * words * batch / 1e3
    if end_to_end["busy"] is not None:
        readings["device busy end to end, %"] = 100 * end_to_end["busy"]
    return batch, readings


def verdict(reading, low, high):
    if low <= reading <= high:
        return "as predicted"
    factor = reading / high if reading > high else low / reading
    return f"{factor:.1f} times {'more' if reading > high else 'less'}"


def prediction_rows(results):
    """Predictions beside readings. A miss beyond 2 says that the picture behind the prediction is wrong."""
    rows = []
    for bench, engine in measured_engines(results):
        if not bench["what"].startswith("batch ") or bench["dim"] != 128:
            continue
        batch, readings = batch_readings(bench, engine)
        for name, reading in readings.items():
            expected = PREDICTIONS[name].get(batch)
            cells = [f"{expected[0]} to {expected[1]}", f"{reading:.1f}", verdict(reading, *expected)] if expected else ["-", f"{reading:.1f}", ""]
            rows.append([f"{name}, batches of {batch}", *cells])
    for bench in results["bench"]:
        speed = bench["report"]["batcher"]
        if speed["threads"] == 16 and bench["what"] == "batch 8192":
            name, (low, high) = BATCHER_PREDICTION
            reading = speed["windows_per_second"] / 1e6
            rows.append([name, f"{low} to {high}", f"{reading:.1f}", verdict(reading, low, high)])
    return rows


def speed_rows(results):
    for bench in results["bench"]:
        speed = bench["report"]["batcher"]
        for engine in bench["report"]["engines"]:
            if "error" in engine:
                yield [bench["what"], engine["name"], engine["error"], *[""] * 6]
                continue
            end_to_end, copy = engine["end_to_end"], engine["copy_bytes_per_second"]
            yield [
                bench["what"],
                engine["name"],
                million(engine["words_per_second"]),
                million(end_to_end["words_per_second"]),
                percent(end_to_end["waiting"]),
                percent(end_to_end["busy"]),
                percent(engine["bytes_per_second"] / copy if copy else None),
                f"{million(speed['windows_per_second'])} ({speed['threads']})",
                bench["clocks"] or "-",
            ]


def stage_rows(results):
    for bench, engine in measured_engines(results):
        for stage in engine["stages"]:
            where = "device" if stage["on_device"] else "host"
            yield [bench["what"], stage["name"], where, f"{stage['nanoseconds_per_word']:.2f}", percent(stage["share"])]


def run_rows(results):
    for run in results["runs"]:
        report = run["report"]
        seconds = report["seconds"]
        waiting = seconds["of_it_waiting_for_batches"] / seconds["train"] if seconds["train"] else None
        yield [
            run["what"],
            report["engine"],
            million(report["words_per_second"]),
            f"{seconds['train']:.1f}",
            percent(waiting),
            f"{report['training']['loss']:.4f}",
            run["clocks"] or "-",
        ]


def quality_rows(evaluation):
    for pair in evaluation["pairs"]:
        yield [pathlib.Path(pair["file"]).stem, pair["spearman"]]
    for questions in evaluation["analogies"]:
        yield [pathlib.Path(questions["file"]).stem, (questions["total"].get("3cosadd") or {}).get("accuracy")]


def correctness(results):
    """What is known of the results being right, as lines."""
    lines = [f"- unit tests of the GPU engine: {results['tests'] or 'not run'}"]
    equal = results["equal"]
    if equal is None:
        return [*lines, "- equal runs: not made"]
    lines.append(f"- two equal runs on the GPU: {'the same file' if equal['same_bytes'] else 'DIFFERENT files'}")
    if "error" in equal:
        return [*lines, f"- beside the CPU engine: {equal['error']}"]
    if equal["mean"] is None:
        return [*lines, "- beside the CPU engine: a value is no finite number"]
    return [*lines, f"- beside the CPU engine: cosine {equal['mean']:.6f} on average, {equal['least']:.6f} at least, {equal['words']} words"]


def markdown(results):
    own = results["machine"]
    parts = [
        f"# {results['program']}, {results['date']}\n\n{own['processor']}, {own['cores']} cores, {own['system']}\n",
        "".join(f"- {device['name']} ({device['backend']}, {device['kind']}), {device['driver']}\n" for device in results["devices"]),
        "## Correctness\n\n" + "\n".join(correctness(results)) + "\n",
    ]
    predictions = prediction_rows(results)
    if predictions:
        parts.append("## Predictions and readings\n\n" + table(["figure", "predicted", "read", ""], predictions))
    header = ["bench", "engine", "M words/s", "end to end", "waiting", "busy", "of a copy", "batcher, M windows/s (threads)", "clocks"]
    parts.append("## Speed\n\n" + table(header, speed_rows(results)))
    parts.append("## Stages\n\n" + table(["bench", "stage", "on", "ns a word", "share"], stage_rows(results)))
    sweeps = [
        [sweep["knob"], sweep["best"], ", ".join(f"{trial['value']}: {million(trial['words_per_second'] or 0)}" for trial in sweep["trials"])]
        for sweep in results["sweep"]
    ]
    parts.append("## Sweep\n\n" + table(["setting", "best", "M words/s of each"], sweeps))
    parts.append("## Runs\n\n" + table(["run", "engine", "M words/s", "seconds", "waiting", "loss", "clocks"], run_rows(results)))
    if results["quality"]:
        scores = [[name, "-" if score is None else f"{score:.3f}"] for name, score in quality_rows(results["quality"])]
        parts.append("## Quality after 2 epochs\n\n" + table(["set", "score"], scores))
    if results["failures"]:
        parts.append("## Failures\n\n" + "".join(f"- {failure['step']}: {failure['why']}\n" for failure in results["failures"]))
    return "\n".join(parts)


def main():
    args = parse()
    args.binary = args.binary.resolve()
    args.tests = args.tests and args.tests.resolve()
    args.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        measurement = Measurement(args, pathlib.Path(folder))
        measurement.results["program"] = (measurement.run("version", [args.binary, "--version"], 20) or "").strip()
        if find_device(measurement):
            measure(measurement)
        measurement.save()
    print((args.output / "hardware.md").read_text())
    sys.exit(0 if measurement.results["bench"] or measurement.results["runs"] else 1)


if __name__ == "__main__":
    main()
