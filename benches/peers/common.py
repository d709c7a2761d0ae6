"""What every peer starts from: images, initial state, order of minibatches; and the check of the result."""

import gzip
import pathlib

import numpy as np

BOUND = float(np.log((1 - 1e-4) / 1e-4))  # no logit of a pixel leaves +-BOUND
STEPS = 6000  # of the learning rate's way to 0
RATE, DECAY, EPSILON = 0.01, 0.9, 1e-15
SUBSET = pathlib.Path(__file__).resolve().parents[2] / "src" / "data" / "mnist-subset"


def load_images():
    """Digits 0, 1 and 2 of the bundled training images, lit where grey > 127, as f32 [count, 784]."""
    with gzip.open(SUBSET / "train-images-idx3-ubyte.gz") as file:
        images = np.frombuffer(file.read()[16:], np.uint8).reshape(-1, 784)
    with gzip.open(SUBSET / "train-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read()[8:], np.uint8)
    return (images[labels <= 2] > 127).astype(np.float32)


def start(images, latent, chains, seed):
    """W [D, L], b [L], A [L, D] and the chains [N, D] at step 0, in f32."""
    rng = np.random.default_rng(seed)
    visible = images.shape[1]
    mean = images.mean(0, dtype=np.float64).clip(1e-4, 1 - 1e-4)
    forward = rng.normal(0, 0.5, (visible, latent))
    backward = np.log(mean / (1 - mean)) + rng.normal(0, 0.5, (latent, visible))
    state = forward, np.zeros(latent), backward.clip(-BOUND, BOUND), images[rng.integers(len(images), size=chains)]
    return [np.ascontiguousarray(array, np.float32) for array in state]


class Batches:
    """Shuffled epochs cut into batches, as indices; a batch may straddle two epochs."""

    def __init__(self, count, batch, seed):
        self.count, self.batch = count, batch
        self.rng = np.random.default_rng([seed, 1])
        self.left = np.empty(0, np.int64)

    def take(self, steps):
        """The next minibatches, [steps, batch]."""
        wanted = steps * self.batch
        epochs = [self.rng.permutation(self.count) for _ in range(-(-(wanted - len(self.left)) // self.count))]
        order = np.concatenate([self.left, *epochs])
        self.left = order[wanted:]
        return order[:wanted].reshape(steps, self.batch)


def log_likelihood(images, forward, bias, backward, draws=1000, seed=0):
    """Mean log-likelihood of images under the chain's steady state, in nats per image, in f64."""
    rng = np.random.default_rng(seed)
    forward, bias, backward = (np.asarray(array, np.float64) for array in (forward, bias, backward))
    lit = 1 / (1 + np.exp(-backward))
    kernel = np.empty((len(backward), len(backward)))  # kernel[j, k]: the chance of state k after state j
    for state, probability in enumerate(lit):
        logits = (rng.random((draws, len(probability))) < probability) @ forward + bias
        p = np.exp(logits - logits.max(1, keepdims=True))
        kernel[state] = (p / p.sum(1, keepdims=True)).mean(0)
    # pi (T - 1) = 0 with sum pi = 1, by least squares
    system = np.vstack([kernel.T - np.eye(len(lit)), np.ones(len(lit))])
    steady = np.linalg.lstsq(system, np.append(np.zeros(len(lit)), 1.0), rcond=None)[0]
    log_q = images @ backward.T - np.logaddexp(0, backward).sum(1)
    log_joint = log_q + np.log(steady.clip(1e-300))
    top = log_joint.max(1, keepdims=True)
    return float((np.log(np.exp(log_joint - top).sum(1, keepdims=True)) + top).mean())
