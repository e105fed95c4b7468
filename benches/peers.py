#!/usr/bin/env python3
"""Compares w2v-gpu with gensim and fastText: the same text, the same settings, in turn, several rounds.

Installs gensim and fastText from PyPI in a virtual environment (fastText may also be the program of Debian's package). The
time is that of training alone: counting words and building the vocabulary is left out for all. Speed is the words of the
vocabulary in the corpus, times the epochs, by that time, with the same words for all. Quality is what `w2v-gpu eval` says,
for all, which is what gensim's own evaluation gives. Prints a Markdown table; with -o also as JSON.

    benches/peers.py text.txt --pairs wordsim353.tsv simlex999.txt --analogies questions-words.txt -o peers.json

What the settings have in common has the same value for all. What differs stays as each tool has it: fastText draws negatives
by the square root of their counts, and gensim's learning rate falls to 0.0001 and not 0. gensim reads the text in both its
ways: `corpus_file` is the faster one, but each of its workers compares the sentences of its own share with those of the whole
corpus, so that with two workers the learning rate falls half as far in an epoch, and ends two epochs at a quarter of its start;
with `LineSentence` it falls as it should.
"""

import argparse
import json
import os
import pathlib
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
GENSIM = "gensim==4.4.0"
# The first one that can be installed.
FASTTEXT = ("fasttext-wheel==0.9.2", "fasttext==0.9.3")


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=pathlib.Path, help="plain text, a sentence a line")
    parser.add_argument("--binary", type=pathlib.Path, default=ROOT / "target/release/w2v-gpu", help="[target/release/w2v-gpu]")
    parser.add_argument("--venv", type=pathlib.Path, default=ROOT / "target/peers", help="virtual environment [target/peers]")
    parser.add_argument("--engines", nargs="*", default=["cpu"], choices=["cpu", "gpu"], help="of w2v-gpu [cpu]")
    parser.add_argument("--rounds", type=int, default=3, help="[3]")
    parser.add_argument("--threads", type=int, default=2, help="[2]")
    parser.add_argument("--epochs", type=int, default=2, help="[2]")
    parser.add_argument("--dim", type=int, default=100, help="[100]")
    parser.add_argument("--window", type=int, default=5, help="[5]")
    parser.add_argument("--negative", type=int, default=5, help="[5]")
    parser.add_argument("--min-count", type=int, default=5, help="[5]")
    parser.add_argument("--lr", type=float, default=0.05, help="[0.05]")
    parser.add_argument("--sample", type=float, default=1e-4, help="[1e-4]")
    parser.add_argument("--pairs", type=pathlib.Path, nargs="*", default=[], help="evaluation files of word pairs")
    parser.add_argument("--analogies", type=pathlib.Path, nargs="*", default=[], help="evaluation files of analogies")
    parser.add_argument("-o", "--output", type=pathlib.Path, help="where the results go as JSON")
    args = parser.parse_args()
    for path in [args.corpus, args.binary, *args.pairs, *args.analogies]:
        if not path.exists():
            parser.error(f"there is no {path}")
    args.corpus, args.binary = args.corpus.resolve(), args.binary.resolve()
    return args


def say(text):
    print(text, file=sys.stderr, flush=True)


# The peers, each in a process of its own, run by the Python of the virtual environment: settings in, seconds of training out.


def run_gensim(settings, by_lines):
    from gensim.models import Word2Vec
    from gensim.models.word2vec import LineSentence

    corpus = {"corpus_iterable": LineSentence(settings["corpus"])} if by_lines else {"corpus_file": settings["corpus"]}
    model = Word2Vec(
        vector_size=settings["dim"],
        window=settings["window"],
        negative=settings["negative"],
        min_count=settings["min_count"],
        sample=settings["sample"],
        alpha=settings["lr"],
        workers=settings["threads"],
        sg=1,
        hs=0,
        seed=settings["seed"],
    )
    started = time.monotonic()
    model.build_vocab(**corpus)
    vocabulary = time.monotonic() - started
    started = time.monotonic()
    model.train(
        **corpus,
        total_examples=model.corpus_count,
        total_words=model.corpus_total_words,
        epochs=settings["epochs"],
    )
    seconds = time.monotonic() - started
    model.wv.save_word2vec_format(settings["vectors"], binary=True)
    return {"seconds": seconds, "vocabulary_seconds": vocabulary}


def run_fasttext(settings):
    import fasttext

    # Its log says on stderr when the words are counted; whoever runs this process reads the clock then.
    model = fasttext.train_unsupervised(
        settings["corpus"],
        model="skipgram",
        dim=settings["dim"],
        ws=settings["window"],
        neg=settings["negative"],
        minCount=settings["min_count"],
        t=settings["sample"],
        lr=settings["lr"],
        epoch=settings["epochs"],
        thread=settings["threads"],
        minn=0,
        maxn=0,
        bucket=0,
        verbose=2,
    )
    ended = time.monotonic()
    words = [word for word in model.get_words() if word != "</s>"]
    with open(settings["vectors"], "wb") as out:
        out.write(f"{len(words)} {settings['dim']}\n".encode())
        for word in words:
            out.write(word.encode("utf-8", "surrogateescape") + b" " + model.get_word_vector(word).astype("<f4").tobytes() + b"\n")
    return {"ended": ended}


WORKERS = {
    "gensim-file": lambda settings: run_gensim(settings, by_lines=False),
    "gensim-lines": lambda settings: run_gensim(settings, by_lines=True),
    "fasttext": run_fasttext,
}


def worker(name):
    print(json.dumps(WORKERS[name](json.load(sys.stdin))))


# What runs them.


def in_venv(args, name, settings):
    """Runs a worker, and gives what it says, and when fastText had counted its words."""
    command = [args.venv / "bin/python", pathlib.Path(__file__).resolve(), "--worker", name]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdin.write(json.dumps(settings).encode())
    process.stdin.close()
    log, counted, _ = watch(process.stderr)
    out = process.stdout.read()
    if process.wait() != 0:
        raise RuntimeError(f"{name} failed: {log[-2000:]}")
    return json.loads(out.splitlines()[-1]), counted


def watch(pipe):
    """Reads a log to its end, and notes when fastText had counted its words and when it said something last."""
    log, counted, last = "", None, None
    while piece := os.read(pipe.fileno(), 4096):
        log += piece.decode(errors="replace")
        last = time.monotonic()
        if counted is None and "Number of labels" in log:
            counted = last
    return log, counted, last


def gensim(name):
    def run(args, settings):
        done, _ = in_venv(args, name, settings)
        return done["seconds"]

    return run


def fasttext(args, settings):
    done, counted = in_venv(args, "fasttext", settings)
    if counted is None:
        raise RuntimeError("fastText did not say when its words were counted")
    # Both clocks count from the start of the machine.
    return done["ended"] - counted


def fasttext_program(args, settings):
    """Debian's program: it writes text, after training, so that its log ends when training does."""
    output = settings["vectors"].removesuffix(".bin")
    command = [shutil.which("fasttext"), "skipgram", "-input", settings["corpus"], "-output", output, "-minn", 0, "-maxn", 0]
    for flag, name in {"dim": "dim", "ws": "window", "neg": "negative", "minCount": "min_count", "t": "sample", "lr": "lr",
                       "epoch": "epochs", "thread": "threads"}.items():
        command += [f"-{flag}", settings[name]]
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    log, counted, ended = watch(process.stderr)
    if process.wait() != 0 or counted is None:
        raise RuntimeError(f"fasttext failed: {log[-2000:]}")
    # The model itself is not needed, and its name is that of the vectors.
    lines = pathlib.Path(output + ".vec").read_text(errors="surrogateescape").splitlines()
    rows = [line for line in lines[1:] if not line.startswith("</s> ")]
    text = pathlib.Path(output + ".txt")
    text.write_text("\n".join([f"{len(rows)} {settings['dim']}", *(row.rstrip() for row in rows)]) + "\n", errors="surrogateescape")
    subprocess.run([args.binary, "convert", text, settings["vectors"]], check=True, capture_output=True)
    return ended - counted


def ours(engine):
    def run(args, settings):
        command = [args.binary, "train", settings["corpus"], "-o", settings["vectors"], "--engine", engine, "--json", "-q"]
        for name in ("dim", "window", "negative", "min_count", "sample", "lr", "epochs", "threads", "seed"):
            command += [f"--{name.replace('_', '-')}", settings[name]]
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"w2v-gpu failed: {done.stderr[-2000:]}")
        return json.loads(done.stdout)["seconds"]["train"]

    return run


def install(args):
    """The peers that can be had: their names with versions, and how each is run."""
    python = args.venv / "bin/python"
    if not python.exists():
        say(f"making a virtual environment in {args.venv}")
        subprocess.run([sys.executable, "-m", "venv", args.venv], check=True)

    def pip(package):
        say(f"installing {package}")
        command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", package]
        return subprocess.run(command).returncode == 0

    peers = {}
    if pip(GENSIM):
        version = GENSIM.replace("==", " ")
        peers[f"{version} corpus_file"] = gensim("gensim-file")
        peers[f"{version} LineSentence"] = gensim("gensim-lines")
    else:
        say("gensim could not be installed and is left out")
    package = next((package for package in FASTTEXT if pip(package)), None)
    if package:
        peers["fastText " + package.split("==")[1]] = fasttext
    elif shutil.which("fasttext"):
        peers["fastText (its program)"] = fasttext_program
    else:
        say("fastText could not be installed and is left out (on Debian: apt-get install fasttext)")
    return peers


def words_of(args):
    """Occurrences in the corpus of the words that are frequent enough: what every tool trains on."""
    with tempfile.TemporaryDirectory() as folder:
        words = pathlib.Path(folder) / "words.txt"
        command = [args.binary, "vocab", args.corpus, "-o", words, "--min-count", str(args.min_count), "-q"]
        subprocess.run(command, check=True)
        with open(words, "rb") as lines:
            counts = [int(line.rsplit(b" ", 1)[1]) for line in lines]
    return sum(counts), len(counts)


def quality(args, vectors):
    """A score for each evaluation file."""
    sets = [*(["--pairs", *args.pairs] if args.pairs else []), *(["--analogies", *args.analogies] if args.analogies else [])]
    if not sets:
        return {}
    done = subprocess.run([args.binary, "eval", vectors, *sets, "--json"], capture_output=True, text=True)
    if not done.stdout:
        raise RuntimeError(f"the vectors could not be evaluated: {done.stderr}")
    report = json.loads(done.stdout)
    scores = {pathlib.Path(pair["file"]).stem: pair["spearman"] for pair in report["pairs"]}
    return scores | {pathlib.Path(s["file"]).stem: s["total"]["3cosadd"]["accuracy"] for s in report["analogies"]}


def machine():
    processor = platform.processor() or platform.machine()
    try:
        found = re.search(r"^model name\s*:\s*(.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.MULTILINE)
        processor = found.group(1) if found else processor
    except OSError:
        pass
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"processor": processor, "cores": cores, "system": platform.platform()}


def compare(args, programs, words):
    """All programs in turn, round after round."""
    names = ("dim", "window", "negative", "min_count", "sample", "lr", "epochs", "threads")
    settings = {name: getattr(args, name) for name in names} | {"corpus": str(args.corpus)}
    runs = {name: [] for name in programs}
    failed = {}
    for number in range(1, args.rounds + 1):
        for name, run in programs.items():
            if name in failed:
                continue
            with tempfile.TemporaryDirectory() as folder:
                vectors = str(pathlib.Path(folder) / "vectors.bin")
                try:
                    seconds = run(args, settings | {"seed": number, "vectors": vectors})
                    scores = quality(args, vectors)
                except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
                    say(f"round {number}, {name}: {error}")
                    failed[name] = str(error)
                    continue
            speed = words * args.epochs / seconds
            runs[name].append({"seconds": seconds, "words_per_second": speed, "quality": scores})
            say(f"round {number}, {name}: {speed / 1e6:.3f} M words/s, {scores}")
    return runs, failed


def spread(values, digits):
    """Median, smallest and largest."""
    values = [value for value in values if value is not None]
    if not values:
        return "-"
    middle = f"{statistics.median(values):.{digits}f}"
    return middle if len(values) == 1 else f"{middle} ({min(values):.{digits}f}-{max(values):.{digits}f})"


def ratios(runs, over):
    """Speeds by those of another program in the same round."""
    return [own["words_per_second"] / other["words_per_second"] for own, other in zip(runs, over)]


def markdown(result):
    runs = {name: of for name, of in result["runs"].items() if of}
    sets = list(next(iter(runs.values()))[0]["quality"]) if runs else []
    peers = [name for name in runs if not name.startswith("w2v-gpu")]
    header = ["", "million words/s", *(f"times {peer}" for peer in peers), *sets]
    lines = [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"]
    for name, own in runs.items():
        cells = [name, spread([run["words_per_second"] / 1e6 for run in own], 2)]
        cells += [spread(ratios(own, runs[peer]), 2) for peer in peers]
        cells += [spread([run["quality"][name] for run in own], 3) for name in sets]
        lines.append(f"| {' | '.join(cells)} |")
    machine, settings = result["machine"], result["settings"]
    options = ", ".join(f"{name.replace('_', '-')} {value}" for name, value in settings.items())
    return "\n".join([
        f"{machine['processor']}, {machine['cores']} cores, {machine['system']}. {result['words']:,} words, "
        f"{result['vocabulary']:,} different. {options}. Median (smallest-largest) of {result['rounds']} rounds.",
        "",
        *lines,
        *(f"\n{name} failed: {why}" for name, why in result["failed"].items()),
    ])


def main():
    args = parse()
    # Peers first: the figures of a round are taken in this order.
    programs = install(args) | {f"w2v-gpu {engine}": ours(engine) for engine in args.engines}
    words, vocabulary = words_of(args)
    runs, failed = compare(args, programs, words)
    names = ("threads", "epochs", "dim", "window", "negative", "min_count", "sample", "lr")
    result = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": machine(),
        "corpus": args.corpus.name,
        "words": words,
        "vocabulary": vocabulary,
        "rounds": args.rounds,
        "settings": {name: getattr(args, name) for name in names},
        "runs": runs,
        "failed": failed,
    }
    if args.output:
        args.output.write_text(json.dumps(result, indent=2) + "\n")
    print(markdown(result))
    sys.exit(0 if any(runs[f"w2v-gpu {engine}"] for engine in args.engines) else 1)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        worker(sys.argv[2])
    else:
        main()
