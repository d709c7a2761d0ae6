"""Reads an event file with TensorBoard itself: the figures of metrics.jsonl, step by step."""

import json
import pathlib
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

folder = pathlib.Path(sys.argv[1])
found = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
keys = [key for key in lines[0] if key not in ("step", "seconds") and lines[0][key] is not None]
assert sorted(found.Tags()["scalars"]) == sorted(keys), (found.Tags(), keys)
for key in keys:
    events = found.Scalars(key)
    assert [event.step for event in events] == [line["step"] for line in lines]
    assert all(abs(event.value - line[key]) <= 1e-6 * abs(line[key]) for event, line in zip(events, lines))
    assert all(a.wall_time < b.wall_time for a, b in zip(events, events[1:]))
print(f"TensorBoard: {len(lines)} evaluations of {', '.join(keys)}")
