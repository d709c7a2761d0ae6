#!/usr/bin/env python3
"""Computes figures of a machine of many binary units a second time, with numpy and draws of its own, from the exported parameters and the bundled images alone.

    latent-cycles export RUN --out model.safetensors
    python3 check_units.py model.safetensors [IMAGES [K [N]]]

The lower bound of the log-likelihood of the first IMAGES test digits (all ten classes, threshold 0.5) with K candidates and N chains that began at noise; the path entropy production by its definition along drawn
steps and by its closed form; the autocorrelation time of the pixels; lit pixels, also of images drawn from the posteriors of the test digits and some steps after these digits. Each with its standard error. Needs the packages numpy and safetensors.
"""
import gzip
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

path, count, candidates, chains = sys.argv[1], *map(int, (sys.argv[2:] + ["500", "100", "4096"][len(sys.argv) - 2 :]))
tensors = {name: array.astype(np.float64) for name, array in load_file(path).items()}
A, a = tensors["backward"], tensors["visible_bias"]
rng = np.random.default_rng(20251126)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def upward(x, matrix, tanh=""):
    """x times a matrix of an upward map, with what tanh units add."""
    logits = x @ tensors[matrix]
    if tanh + "tanh_inward" in tensors:
        logits += np.tanh(x @ tensors[tanh + "tanh_inward"] + tensors[tanh + "tanh_bias"]) @ tensors[tanh + "tanh_outward"]
    return logits


def logits_of_units(x):
    return upward(x, "forward") + tensors["forward_bias"]


def draw(p):
    return (rng.random(p.shape) < p).astype(np.float64)


def log_bernoulli(x, logits):
    return (x * logits - np.logaddexp(0, logits)).sum(-1)


def report(name, values):
    print(f"{name}: {values.mean():.3f} +- {values.std(ddof=1) / len(values) ** 0.5:.3f}")


x = draw(np.full((chains, len(a)), 0.5))
for _ in range(100):
    h = draw(sigmoid(logits_of_units(x)))
    x = draw(sigmoid(h @ A + a))
after = draw(sigmoid(logits_of_units(x)))
definition = log_bernoulli(x, h @ A + a) - log_bernoulli(x, after @ A + a) + log_bernoulli(after, logits_of_units(x)) - log_bernoulli(h, logits_of_units(x))
report("path entropy production by its definition", definition)
report("by its closed form", ((upward(x, "forward") - x @ A.T) * (sigmoid(logits_of_units(x)) - h)).sum(1))
report("lit pixels", x.sum(1))

logits = logits_of_units(x)
log_silent = -np.logaddexp(0, logits).sum(1)
file = Path(__file__).parents[2] / "src/data/mnist-subset/t10k-images-idx3-ubyte.gz"
images = np.frombuffer(gzip.open(file).read(), np.uint8)[16:].reshape(-1, 784)[:count] > 127
bounds, effective, lit = [], [], []
for image in images.astype(np.float64):
    proposal = upward(image, "recognition", "recognition_") + tensors["recognition_bias"]
    words = draw(np.broadcast_to(sigmoid(proposal), (candidates, len(proposal))))
    log_p = words @ logits.T + log_silent
    top = log_p.max(1)
    log_pi = top + np.log(np.exp(log_p - top[:, None]).mean(1))
    logits_of_pixels = words @ A + a
    log_w = log_bernoulli(image, logits_of_pixels) + log_pi - log_bernoulli(words, proposal)
    w = np.exp(log_w - log_w.max())
    bounds.append(log_w.max() + np.log(w.mean()))
    effective.append(w.sum() ** 2 / (w**2).sum())
    lit.append(w @ sigmoid(logits_of_pixels).sum(1) / w.sum() - image.sum())
report(f"lower bound of the log-likelihood, {count} test images, K = {candidates}, N = {chains}", np.array(bounds))
report("candidates that count", np.array(effective))
report("lit pixels of the posterior's images, beyond the image's own", np.array(lit))
after = np.tile(images.astype(np.float64), (10000 // count + 1, 1))
report("lit pixels of these images", after.sum(1))
for step in range(1, 21):
    means = sigmoid(draw(sigmoid(logits_of_units(after))) @ A + a)
    after = draw(means)
    if step in (1, 2, 5, 20):
        report(f"lit pixels {step} steps after them", means.sum(1))

steps = [x[:256]]
for _ in range(300):
    steps.append(draw(sigmoid(draw(sigmoid(logits_of_units(steps[-1]))) @ A + a)))
steps = np.array(steps)
mu = steps.mean((0, 1))
covariance = lambda lag: ((steps[: len(steps) - lag] * steps[lag:]).mean((0)) - mu**2).sum(1)
variance = (mu * (1 - mu)).sum()
report("autocorrelation time of the pixels", 0.5 + sum(covariance(lag) for lag in range(1, 31)) / variance)
