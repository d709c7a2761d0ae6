"""Latent layers with codes, for the peers: C [L, H], g [L], and the first state at step 0."""

import numpy as np

from common import BOUND


class Layer:
    """`binary-10` (units), or `grid-24x24` (points along each axis, up to 4.5)."""

    def __init__(self, name):
        kind, _, sizes = name.partition("-")
        if kind == "binary":
            values = [np.array([0.0, 1.0])] * int(sizes)
            self.toml = f'{{ kind = "binary", units = {sizes} }}'
        else:
            points = [int(size) for size in sizes.split("x")]
            values = [np.linspace(-4.5, 4.5, count) for count in points]
            self.toml = f'{{ kind = "grid", dimensions = {len(points)}, points = {points[0]}, range = 4.5 }}'
        weights = [np.zeros(2) if kind == "binary" else -value**2 / 2 for value in values]
        grids = np.meshgrid(*values, indexing="ij")
        self.codes = np.stack([grid.ravel() for grid in grids], 1).astype(np.float32)  # [L, H]
        self.weights = sum(np.meshgrid(*weights, indexing="ij")).ravel().astype(np.float32)  # [L]
        self.values, self.value_weights = np.float32(values), np.float32(weights)  # of each unit or axis, [H, S]


def start(images, layer, chains, seed):
    """W [D, H], b [H], A [H, D], a [D] and the chains [N, D] at step 0, in f32."""
    rng = np.random.default_rng(seed)
    mean = images.mean(0, dtype=np.float64).clip(1e-4, 1 - 1e-4)
    shape = images.shape[1], layer.codes.shape[1]
    state = (
        rng.normal(0, 0.1, shape),
        np.zeros(shape[1]),
        rng.normal(0, 0.1, shape[::-1]),
        np.log(mean / (1 - mean)).clip(-BOUND, BOUND),
        images[rng.integers(len(images), size=chains)],
    )
    return [np.ascontiguousarray(array, np.float32) for array in state]
