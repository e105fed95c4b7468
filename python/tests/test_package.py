"""The package itself: its names, its version, its program."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import w2v_gpu

ROOT = Path(__file__).parents[2]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the program of this package, and returns what it did."""
    return subprocess.run(
        [sys.executable, "-m", "w2v_gpu", *arguments], capture_output=True, text=True, check=False
    )


@pytest.mark.smoke
def test_every_name_is_there() -> None:
    for name in w2v_gpu.__all__:
        assert getattr(w2v_gpu, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Doc2Vec'"):
        _ = w2v_gpu.Doc2Vec


def test_the_version_is_that_of_the_library() -> None:
    for manifest in ("Cargo.toml", "python/Cargo.toml"):
        found = re.search(r'^version = "(.*)"$', (ROOT / manifest).read_text(), re.MULTILINE)
        assert found and found[1] == w2v_gpu.__version__


@pytest.mark.smoke
def test_the_program_tells_its_version_and_its_exit_codes(tmp_path: Path) -> None:
    assert run("--version").stdout == f"w2v-gpu {w2v_gpu.__version__}\n"
    assert run("neighbors", str(tmp_path / "missing.bin"), "word").returncode == 1
    wrong = run("train", "text.txt", "-o", "v.bin", "--dim", "0")
    assert wrong.returncode == 2
    assert "--dim" in wrong.stderr


def test_the_program_does_not_wait_for_numpy() -> None:
    code = "import sys, w2v_gpu._cli; print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_nothing_is_printed_where_drivers_miss_a_runtime_folder() -> None:
    code = "import w2v_gpu; w2v_gpu.devices(); w2v_gpu.Word2Vec([['a', 'b']] * 9, progress=False)"
    names = {name: value for name, value in os.environ.items() if name != "XDG_RUNTIME_DIR"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=names, check=True
    )
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_the_program_ends_by_ctrl_c_with_its_own_message(tmp_path: Path, corpus: str) -> None:
    arguments = ["train", corpus, "-o", str(tmp_path / "v.bin"), "--epochs", "100000"]
    with subprocess.Popen(
        [sys.executable, "-m", "w2v_gpu", *arguments, "--log-every", "0.1"],
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        assert program.stderr is not None
        for line in program.stderr:
            # A report: training goes on.
            if "words/s" in line:
                break
        program.send_signal(signal.SIGINT)
        rest = program.stderr.read()
    assert program.returncode == 130
    assert "SIGINT" in rest and "Traceback" not in rest


def test_the_examples_of_the_documentation_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").mkdir()
    for path in (ROOT / "data").iterdir():
        # A part of the text is trained on sooner.
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        (tmp_path / "data" / path.name).write_text("".join(lines[:10_000]), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    examples = re.findall("^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert len(examples) >= 4
    names: dict[str, object] = {}
    exec("\n".join(examples), names)
    assert (tmp_path / "vectors.bin").stat().st_size > 500_000
