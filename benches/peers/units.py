"""Many binary units whose posterior is sampled, for the peers: the first state, and a bound of the log-likelihood."""

import numpy as np

from common import BOUND

CANDIDATES = 5
RATE = 4e-3
ADAM = 0.9, 0.999, 1e-8  # memory of the mean and of the mean square, what is added to its root


def start(images, units, chains, seed):
    """W [D, H], b [H], A [H, D], a [D], R [D, H], c [H] and the chains [N, D] at step 0, in f32."""
    rng = np.random.default_rng(seed)
    mean = images.mean(0, dtype=np.float64).clip(1e-4, 1 - 1e-4)
    W, A = rng.normal(0, 0.05, (images.shape[1], units)), rng.normal(0, 0.05, (units, images.shape[1]))
    b, a = -mean @ W, np.log(mean / (1 - mean)).clip(-BOUND, BOUND) - A.sum(0) / 2
    state = W, b, A, a, W.copy(), b.copy(), images[rng.integers(len(images), size=chains)]
    return [np.ascontiguousarray(array, np.float32) for array in state]


def bound(images, W, b, A, a, R, c, chains=1000, candidates=20, seed=0):
    """A lower bound of the mean log-likelihood of the first 300 images, in nats per image, in f64."""
    rng = np.random.default_rng(seed)
    W, b, A, a, R, c = (np.asarray(array, np.float64) for array in (W, b, A, a, R, c))
    sigmoid, softplus = lambda a: 1 / (1 + np.exp(-a)), lambda a: np.logaddexp(0, a)
    x = rng.random((chains, len(a))) < 0.5
    for _ in range(30):
        h = rng.random((chains, len(b))) < sigmoid(x @ W + b)
        x = rng.random(x.shape) < sigmoid(h @ A + a)
    logits, bounds = x @ W + b, []
    for image in images[:300]:
        e = image @ R + c
        h = (rng.random((candidates, len(e))) < sigmoid(e)) * 1.0
        pixels, log_p = h @ A + a, h @ logits.T - softplus(logits).sum(1)
        log_w = (image * pixels - softplus(pixels)).sum(1) - (h * e - softplus(e)).sum(1)
        log_w += log_p.max(1) + np.log(np.exp(log_p - log_p.max(1, keepdims=True)).mean(1))
        bounds.append(log_w.max() + np.log(np.exp(log_w - log_w.max()).mean()))
    return float(np.mean(bounds))
