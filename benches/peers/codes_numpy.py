"""The training step with codes in NumPy: odds of the pixels by products over units or axes, in-place operations, products by OpenBLAS."""

import numpy as np

from codes import Layer, start
from common import BOUND, DECAY, EPSILON, RATE, STEPS, Batches
from step_numpy import log_mean_exp


class Peer:
    name = "NumPy"

    def __init__(self, images, latent, chains, batch, seed, device="cpu"):
        self.images, self.layer = images, Layer(latent)
        self.W, self.b, self.A, self.a, self.chains = start(images, self.layer, chains, seed)
        self.batches = Batches(len(images), batch, seed)
        self.bits = np.random.SFC64(seed)
        self.rng = np.random.Generator(self.bits)
        self.squares = [np.zeros_like(theta) for theta in (self.W, self.b, self.A, self.a)]
        self.step_count = 0
        self.minibatch = np.empty((batch, images.shape[1]), np.float32)
        states, visible = len(self.layer.codes), images.shape[1]
        self.odds, self.s = np.empty((states, visible), np.float32), np.empty((states, visible), np.float32)

    def run(self, steps):
        for indices in self.batches.take(steps):
            self.step(indices)

    def parameters(self):
        return self.W, self.b, self.A, self.a

    def step(self, indices):
        layer, chains, W, b, A, a = self.layer, self.chains, self.W, self.b, self.A, self.a
        count, visible = chains.shape

        # each unit or axis on its own, by inverse CDF; then the image: 32 random bits a pixel, below s(a + z A) 2^32
        p = np.exp(self.factors(chains @ W + b))  # [N, H, S]
        cumulative = np.cumsum(p, 2)
        point = self.rng.random((*p.shape[:2], 1), np.float32) * cumulative[:, :, -1:]
        index = np.minimum((cumulative <= point).sum(2), p.shape[2] - 1)
        z = np.take_along_axis(layer.values[None], index[:, :, None], 2)[:, :, 0]
        limit = np.exp(z @ A + a)
        limit /= limit + 1
        limit *= 2.0**32 - 512
        bits = self.bits.random_raw((count * visible + 1) // 2).view(np.uint32)[: count * visible]
        np.less(bits.reshape(count, visible), limit.astype(np.uint32), out=chains)

        # at the new chains
        logits = chains @ W + b
        log_p = logits @ layer.codes.T
        log_p += layer.weights
        factors = self.factors(logits, normalized=False)
        top = factors.max(2, keepdims=True)
        log_p -= (np.log(np.exp(factors - top).sum(2)) + top[:, :, 0]).sum(1, keepdims=True)
        log_pi = log_mean_exp(log_p)

        # at the minibatch
        images = np.take(self.images, indices, 0, out=self.minibatch, mode="clip")
        odds = np.exp(a)[None]
        for values, row in zip(layer.values[::-1], A[::-1]):  # the last runs fastest
            odds = (np.exp(values[:, None] * row)[:, None] * odds[None]).reshape(-1, visible)
        s = np.divide(odds, odds + 1, out=self.s)
        odds += 1
        log_q = (images @ A.T) @ layer.codes.T
        log_q -= np.log(odds, out=odds).sum(1)
        log_joint = log_q + log_pi
        top = log_joint.max(1, keepdims=True)
        r = np.exp(log_joint - top, out=log_joint)
        total = r.sum(1, keepdims=True)
        r /= total
        log_u = log_mean_exp(log_q - (np.log(total) + top))

        # the gradient
        s *= r.sum(0)[:, None]
        gradient_A = ((r @ layer.codes).T @ images - layer.codes.T @ s) / len(images)
        gradient_a = images.mean(0) - s.sum(0) / len(images)
        p = np.exp(log_p)
        log_p += log_u
        excess = np.exp(log_p, out=log_p)
        p *= excess.sum(1, keepdims=True)
        excess -= p
        pull = excess @ layer.codes / count
        gradients = chains.T @ pull, pull.sum(0), gradient_A, gradient_a

        rate = np.float32(RATE / 2 * max(0.0, 1 - self.step_count / STEPS))
        for theta, square, gradient in zip((W, b, A, a), self.squares, gradients):
            square *= DECAY
            square += (1 - DECAY) * gradient * gradient
            theta += rate * gradient / (np.sqrt(square) + EPSILON)
        np.clip(A, -BOUND, BOUND, out=A)
        np.clip(a, -BOUND, BOUND, out=a)
        self.step_count += 1

    def factors(self, logits, normalized=True):
        """The logits of the values of each unit or axis, [N, H, S]."""
        factors = logits[:, :, None] * self.layer.values + self.layer.value_weights
        return factors - factors.max(2, keepdims=True) if normalized else factors
