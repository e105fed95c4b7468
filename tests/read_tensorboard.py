"""Reads event files back with TensorBoard's own reader: python read_tensorboard.py FOLDER RUN.jsonl

FOLDER was written twice by `train --tensorboard`, the second time together with RUN.jsonl: what of the first run is
left must be gone, and the scalars must be those of the second.
"""

import json
import math
import os
import sys
import time

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

folder, metrics = sys.argv[1:]
assert len(os.listdir(folder)) == 2, os.listdir(folder)
board = EventAccumulator(folder, purge_orphaned_data=True)
board.Reload()

with open(metrics) as file:
    records = [json.loads(line) for line in file]
progress = [record for record in records if record["record"] == "progress"]
epochs = [record for record in records if record["record"] == "epoch"]
assert progress and epochs, "nothing was recorded"

expected = {f"train/{name}": [(record["step"], record[name]) for record in progress]
            for name in ("loss", "lr", "words_per_second")}
expected["epoch/loss"] = [(record["epoch"] + 1, record["loss"]) for record in epochs]
assert set(expected) <= set(board.Tags()["scalars"]), board.Tags()

for tag, points in expected.items():
    found = [(scalar.step, scalar.value) for scalar in board.Scalars(tag)]
    assert len(found) == len(points), f"{tag}: {len(found)} of {len(points)} scalars"
    for (step, value), (expected_step, expected_value) in zip(found, points):
        assert step == expected_step, f"{tag}: step {step}, not {expected_step}"
        assert math.isclose(value, expected_value, rel_tol=1e-6), f"{tag}: {value}, not {expected_value}"
    times = [scalar.wall_time for scalar in board.Scalars(tag)]
    assert times == sorted(times) and abs(times[-1] - time.time()) < 3600, f"{tag}: {times}"

print(f"TensorBoard reads {sum(map(len, expected.values()))} scalars as they were written")
