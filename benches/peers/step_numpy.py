"""The training step in NumPy: preallocated buffers, in-place operations, products by OpenBLAS."""

import numpy as np

from common import BOUND, DECAY, EPSILON, RATE, STEPS, Batches, start


class Peer:
    name = "NumPy"

    def __init__(self, images, latent, chains, batch, seed, device="cpu"):
        self.images = images
        self.W, self.b, self.A, self.chains = start(images, latent, chains, seed)
        self.batches = Batches(len(images), batch, seed)
        self.bits = np.random.SFC64(seed)
        self.rng = np.random.Generator(self.bits)
        self.squares = [np.zeros_like(theta) for theta in (self.W, self.b, self.A)]
        self.step_count = 0
        visible = images.shape[1]
        self.minibatch = np.empty((batch, visible), np.float32)
        self.limit = np.empty((chains, visible), np.uint32)
        self.p = np.empty((chains, latent), np.float32)

    def run(self, steps):
        for indices in self.batches.take(steps):
            self.step(indices)

    def parameters(self):
        return self.W, self.b, self.A

    def step(self, indices):
        chains, W, b, A, p = self.chains, self.W, self.b, self.A, self.p
        chain_count, visible = chains.shape

        # z ~ p(.|x) by inverse CDF, then x ~ q(.|z): 32 random bits a pixel, below s(A) 2^32
        odds = np.exp(A)  # A is bounded: nothing overflows
        s = odds / (1 + odds)
        np.matmul(chains, W, out=p)
        p += b
        p -= p.max(1, keepdims=True)
        np.exp(p, out=p)
        cumulative = np.cumsum(p, 1)
        point = self.rng.random((chain_count, 1), np.float32) * cumulative[:, -1:]
        z = np.minimum((cumulative <= point).sum(1), len(A) - 1)
        np.take((s * 2.0**32).astype(np.uint32), z, 0, out=self.limit, mode="clip")
        bits = self.bits.random_raw((chain_count * visible + 1) // 2).view(np.uint32)[: chain_count * visible]
        np.less(bits.reshape(chain_count, visible), self.limit, out=chains)

        # at the new chains
        log_p = np.matmul(chains, W, out=p)
        log_p += b
        log_p -= log_p.max(1, keepdims=True)
        p = np.exp(log_p)
        total = p.sum(1, keepdims=True)
        log_p -= np.log(total)
        p /= total
        log_pi = log_mean_exp(log_p)

        # at the minibatch
        images = np.take(self.images, indices, 0, out=self.minibatch, mode="clip")
        log_q = images @ A.T
        log_q -= np.log(1 + odds).sum(1)  # softplus; np.logaddexp and np.log1p are not vectorized
        log_joint = log_q + log_pi
        top = log_joint.max(1, keepdims=True)
        r = np.exp(log_joint - top)
        total = r.sum(1, keepdims=True)
        r /= total
        log_u = log_mean_exp(log_q - (np.log(total) + top))

        # the gradient
        weight = r.sum(0)[:, None]
        gradient_A = r.T @ images
        s *= weight
        gradient_A -= s
        gradient_A /= len(images)
        log_p += log_u
        excess = np.exp(log_p, out=log_p)
        p *= excess.sum(1, keepdims=True)
        excess -= p
        excess /= chain_count
        gradients = chains.T @ excess, excess.sum(0), gradient_A

        rate = np.float32(RATE * max(0.0, 1 - self.step_count / STEPS))
        for theta, square, gradient in zip((W, b, A), self.squares, gradients):
            square *= DECAY
            root = gradient * gradient
            root *= 1 - DECAY
            square += root
            np.sqrt(square, out=root)
            root += EPSILON
            gradient *= rate
            gradient /= root
            theta += gradient
        np.clip(A, -BOUND, BOUND, out=A)
        self.step_count += 1


def log_mean_exp(a):
    """ln of the mean of exp over the rows."""
    top = a.max(0)
    return np.log(np.exp(a - top).mean(0)) + top
