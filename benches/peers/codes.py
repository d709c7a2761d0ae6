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


def log_likelihood(images, layer, W, b, A, a, draws=50, seed=0):
    """Mean log-likelihood of images under the chain's steady state, in nats per image, in f64."""
    rng = np.random.default_rng(seed)
    W, b, A, a, codes = (np.asarray(array, np.float64) for array in (W, b, A, a, layer.codes))
    table = a + codes @ A
    kernel = np.empty((len(codes), len(codes)))  # kernel[j, k]: the chance of state k after state j
    for state, probability in enumerate(1 / (1 + np.exp(-table))):
        logits = ((rng.random((draws, len(probability))) < probability) @ W + b) @ codes.T + layer.weights
        p = np.exp(logits - logits.max(1, keepdims=True))
        kernel[state] = (p / p.sum(1, keepdims=True)).mean(0)
    steady = np.full(len(codes), 1 / len(codes))
    for _ in range(1000):
        steady = steady @ kernel
    log_joint = images @ table.T - np.logaddexp(0, table).sum(1) + np.log(steady.clip(1e-300))
    top = log_joint.max(1, keepdims=True)
    return float((np.log(np.exp(log_joint - top).sum(1, keepdims=True)) + top).mean())
