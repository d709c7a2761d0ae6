#!/usr/bin/env python3
"""Computes figures of a run a second time, with numpy and draws of its own, from the exported parameters and the bundled images alone.

    latent-cycles export RUN --out model.safetensors
    python3 check.py model.safetensors WINDOW [clothes.npz]

Log-likelihoods of digits 0, 1 and 2, or of the images of a file, with pi from T by plain means (of a machine in equilibrium by its closed form), the path entropy production by its definition along drawn steps, and the integrated
autocorrelation times of the pixels and of the class (by a least-squares judge) along 48 chains, summed up to WINDOW steps: give five relaxation times. Each with its standard error, in which that of pi does not count: with a
thousand states it is the larger one. Beside
the path entropy production its part from the backward transition, E[ ln q(x|z) - ln q(x|z') ], and what both would be if the next state did not depend on the image,
the mean of KL( q(.|z) || q(.|z') ) over independent z and z'. Needs the packages numpy and safetensors.
"""
import gzip
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

MEANS, CHAINS = 320_000, 48
rng = np.random.default_rng(20251126)


def images(name):
    """Digits 0, 1 and 2 of the bundled set, or what a file has, as bits, and their labels."""
    if len(sys.argv) > 3:
        file, prefix = np.load(sys.argv[3]), {"train": "", "t10k": "test_"}[name]
        pixels, labels = file[prefix + "images"], file[prefix + "labels"]
        return (pixels.reshape(len(pixels), -1) > pixels.max() / 2).astype(np.float64), labels.astype(int)
    folder = Path(__file__).parents[2] / "src/data/mnist-subset"
    read = lambda file, skip: np.frombuffer(gzip.open(folder / file).read(), np.uint8)[skip:]
    pixels, labels = read(f"{name}-images-idx3-ubyte.gz", 16).reshape(-1, 784), read(f"{name}-labels-idx1-ubyte.gz", 8)
    return (pixels[labels < 3] > 127).astype(np.float64), labels[labels < 3]


def classifier():
    """Least squares on pixels: another judge than the program's."""
    x, labels = images("train")
    x = np.hstack([x, np.ones((len(x), 1))])
    return np.linalg.solve(x.T @ x + 10 * np.eye(785), x.T @ np.eye(labels.max() + 1)[labels])


def logsumexp(a, axis):
    top = a.max(axis, keepdims=True)
    return (top + np.log(np.exp(a - top).sum(axis, keepdims=True))).squeeze(axis)


class Model:
    def __init__(self, path):
        tensors = {name: array.astype(np.float64) for name, array in load_file(path).items()}
        states = tensors["backward"].shape[0]
        codes = tensors.get("codes", np.eye(states))
        self.log_weights = tensors.get("log_weights", tensors.get("code_log_weights", np.zeros(len(codes))))
        self.forward, self.bias = tensors["forward"] @ codes.T, codes @ tensors["forward_bias"]
        self.backward = codes @ tensors["backward"] + tensors.get("visible_bias", 0.0)
        self.means = 1 / (1 + np.exp(-self.backward))
        self.log_dark = -np.logaddexp(0, self.backward).sum(1)
        self.states = len(codes)

    def closed_form(self):
        """ln pi of a machine in equilibrium, whose forward matrix is the transpose of the backward one; else None."""
        if np.abs(self.forward - self.forward[:, :1] - (self.backward.T - self.backward.T[:, :1])).max() > 1e-4:
            return None
        log_pi = self.log_weights + self.bias - self.log_dark
        return log_pi - logsumexp(log_pi, 0)

    def log_p(self, x):
        a = x @ self.forward + self.bias + self.log_weights
        return a - logsumexp(a, 1)[:, None]

    def log_q(self, x):
        return x @ self.backward.T + self.log_dark

    def draw_images(self, z):
        return (rng.random((len(z), self.means.shape[1])) < self.means[z]).astype(np.float64)

    def draw_states(self, x):
        return (np.exp(self.log_p(x)).cumsum(1) < rng.random((len(x), 1))).sum(1).clip(0, self.states - 1)

    def kernel(self, each):
        rows = []
        for z in range(self.states):
            rows.append(np.exp(self.log_p(self.draw_images(np.full(each, z)))).mean(0))
        return np.array(rows)


def stationary(kernel):
    a = np.vstack([(np.eye(len(kernel)) - kernel).T, np.ones(len(kernel))])
    return np.linalg.lstsq(a, np.append(np.zeros(len(kernel)), 1.0), rcond=None)[0].clip(0)


def walk(model, pi, steps):
    """Images of chains that start in the steady state, [steps, chains, D]."""
    z = rng.choice(model.states, CHAINS, p=pi / pi.sum())
    series = np.empty((steps, CHAINS, model.means.shape[1]), bool)
    for step in range(steps):
        x = model.draw_images(z)
        series[step] = x > 0.5
        z = model.draw_states(x)
    return series


def autocorrelation_time(series, window):
    """Summed over the components of a series [steps, chains, F], chain by chain."""
    steps = len(series)
    mean = series.mean((0, 1))
    covariance = np.empty((CHAINS, window + 1))
    for chain in range(CHAINS):
        f = np.fft.rfft(series[:, chain].astype(np.float32) - mean, 2 * steps, axis=0)
        covariance[chain] = np.fft.irfft((np.abs(f) ** 2).sum(1))[: window + 1] / np.arange(steps, steps - window - 1, -1)
    times = 0.5 + covariance[:, 1:].sum(1) / covariance[:, 0].mean()
    return times.mean(), times.std(ddof=1) / np.sqrt(CHAINS)


def main():
    model = Model(sys.argv[1])
    window = int(sys.argv[2])
    log_pi = model.closed_form()
    if log_pi is None:
        log_pi = np.log(stationary(model.kernel(MEANS // model.states)) + 1e-300)
    pi = np.exp(log_pi)
    for name, title in [("train", "log-likelihood, train"), ("t10k", "log-likelihood, test")]:
        likelihood = logsumexp(model.log_q(images(name)[0]) + log_pi, 1)
        print(f"{title:28} {likelihood.mean():.3f}")
    z = rng.choice(model.states, 100_000, p=pi / pi.sum())
    ratios, backward = [], []
    for part in np.array_split(z, 50):
        x = model.draw_images(part)
        log_p, log_q, later, n = model.log_p(x), model.log_q(x), model.draw_states(x), np.arange(len(part))
        backward.append(log_q[n, part] - log_q[n, later])
        ratios.append(backward[-1] + log_p[n, later] - log_p[n, part])
    for title, of in [("path entropy production", ratios), ("of it, by the backward part", backward)]:
        of = np.concatenate(of)
        print(f"{title:28} {of.mean():.3f} +- {of.std() / np.sqrt(len(of)):.3f}")
    cross = model.means @ model.backward.T + model.log_dark
    print(f"{'for independent images':28} {pi @ (cross.diagonal()[:, None] - cross) @ pi / pi.sum() ** 2:.3f}")
    series = walk(model, pi, max(40 * window, 2_048))
    judge = classifier()
    classes = np.stack([np.eye(judge.shape[1], dtype=bool)[(x @ judge[:-1] + judge[-1]).argmax(1)] for x in series])
    for of, f in [("pixels", series), ("class", classes)]:
        tau, error = autocorrelation_time(f, window)
        print(f"{'autocorrelation time, ' + of:28} {tau:.4f} +- {error:.4f}")


main()
