"""Runs the guide's program for Python, as it stands there, on a run that is trained for it."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

root = pathlib.Path(__file__).resolve().parent.parent
program = root / "target/release/latent-cycles"
[text] = re.findall(r"```python\n(.*?)```", (root / "src/guide/python.md").read_text(), re.S)
with tempfile.TemporaryDirectory() as folder:
    run = "artifacts/runs/default-ndarray-1"
    for arguments in (
        ["train", "--quiet", "--run", run, "--set", "training.steps=1000"],
        ["analyze", run, "--quiet"],
        ["export", run, "--out", "model.safetensors"],
    ):
        subprocess.run([program, *arguments], cwd=folder, check=True)
    environment = os.environ | {"MPLBACKEND": "Agg"}
    done = subprocess.run([sys.executable, "-c", text], cwd=folder, env=environment, check=True, capture_output=True, text=True)
    plain, analyzed = (float(number) for number in re.findall(r"([-\d.]+) nats per step", done.stdout))
    assert 0 < analyzed < 2 * plain and plain < 2 * analyzed, done.stdout
    assert (pathlib.Path(folder) / "currents.png").stat().st_size > 1000
    print(done.stdout.strip())
