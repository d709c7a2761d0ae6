"""Reads an exported model with the safetensors package and computes p(z|x) again with numpy."""

import json
import pathlib
import sys

import numpy
from safetensors import safe_open

folder = pathlib.Path(sys.argv[1])
with safe_open(folder / "model.safetensors", framework="numpy") as file:
    tensors = {name: file.get_tensor(name) for name in file.keys()}
    metadata = file.metadata()

visible, latent = int(metadata["visible"]), int(metadata["latent"])
shapes = {name: tensor.shape for name, tensor in tensors.items()}
expected = {"forward": (visible, latent), "forward_bias": (latent,), "backward": (latent, visible)}
assert shapes == expected, shapes
assert all(tensor.dtype == numpy.float32 for tensor in tensors.values())

cases = json.loads((folder / "forward.json").read_text())
images = numpy.array([case["image"] for case in cases], dtype=numpy.float64)
logits = images @ tensors["forward"].astype(numpy.float64) + tensors["forward_bias"]
p = numpy.exp(logits - logits.max(axis=1, keepdims=True))
p /= p.sum(axis=1, keepdims=True)
error = abs(p - [case["forward"] for case in cases]).max()
assert error < 1e-12, error
print(f"p(z|x) of {len(cases)} images, {visible} pixels, {latent} states: largest difference {error:.1e}")
