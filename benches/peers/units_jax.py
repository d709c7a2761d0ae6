"""The training step of many binary units in JAX: the posterior is sampled; many steps in one jitted loop with donated state."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.nn import logsumexp, sigmoid, softmax, softplus

from common import BOUND, STEPS, Batches
from step_jax import CHUNK
from units import ADAM, CANDIDATES, RATE, start


class Peer:
    name = "JAX"

    def __init__(self, images, latent, chains, batch, seed, device="cpu"):
        key = jax.random.key(seed, impl="rbg" if device == "cuda" else "threefry2x32")
        device = jax.devices(device)[0]
        *theta, x = start(images, int(latent.removeprefix("units-")), chains, seed)
        moments = tuple(map(np.zeros_like, theta))
        state = tuple(theta), moments, tuple(map(np.copy, moments)), x, key, 0
        self.images, self.state = jax.device_put((images, state), device)
        self.many = jax.jit(many, donate_argnums=0)
        self.batches = Batches(len(images), batch, seed)

    def run(self, steps):
        for first in range(0, steps, CHUNK):
            indices = self.batches.take(min(CHUNK, steps - first)).astype(np.int32)
            self.state = self.many(self.state, self.images, indices)
        jax.block_until_ready(self.state)

    def parameters(self):
        return [np.asarray(array) for array in self.state[0]]


def many(state, images, indices):
    return lax.scan(lambda state, index: (step(state, images[index]), None), state, indices)[0]


def step(state, images):
    (W, b, A, a, R, c), means, squares, chains, key, count = state
    key, *keys = jax.random.split(key, 4)
    draw = lambda key, p: (jax.random.uniform(key, p.shape) < p).astype(jnp.float32)
    n, m = len(chains), len(images)

    words = draw(keys[0], sigmoid(chains @ W + b))
    chains = draw(keys[1], sigmoid(words @ A + a))

    e = images @ R + c
    h = draw(keys[2], jnp.broadcast_to(sigmoid(e)[:, None], (m, CANDIDATES, e.shape[1])))
    log_s = (h * e[:, None] - softplus(e)[:, None]).sum(2)
    pixels = h @ A + a
    log_q = (images[:, None] * pixels - softplus(pixels)).sum(2)
    logits = chains @ W + b
    flat = h.reshape(m * CANDIDATES, -1)
    log_p = flat @ logits.T - softplus(logits).sum(1)  # [B K, N]
    log_sum = logsumexp(log_p, 1, keepdims=True)
    weights = softmax(log_q - log_s + log_sum.reshape(m, CANDIDATES), 1) / m

    v = jnp.exp(log_p - log_sum) * weights.reshape(-1, 1)
    excess = v.T @ flat - v.sum(0)[:, None] * sigmoid(logits)
    missing = ((images[:, None] - sigmoid(pixels)) * weights[:, :, None]).reshape(m * CANDIDATES, -1)
    wake = ((h - sigmoid(e)[:, None]) * weights[:, :, None]).sum(1)
    sleep = (words - sigmoid(chains @ R + c)) / n
    gradients = (
        chains.T @ excess,
        excess.sum(0),
        flat.T @ missing,
        missing.sum(0),
        images.T @ wake + chains.T @ sleep,
        wake.sum(0) + sleep.sum(0),
    )

    decay, square_decay, epsilon = ADAM
    rate = RATE * jnp.clip(2 * (1 - count / STEPS), 0.0, 1.0)
    means = tuple(decay * u + (1 - decay) * g for u, g in zip(means, gradients))
    squares = tuple(square_decay * v + (1 - square_decay) * g * g for v, g in zip(squares, gradients))
    seen, square_seen = 1 - decay ** (count + 1.0), 1 - square_decay ** (count + 1.0)
    moved = (t + rate * (u / seen) / (jnp.sqrt(v / square_seen) + epsilon) for t, u, v in zip((W, b, A, a, R, c), means, squares))
    W, b, A, a, R, c = moved
    return (W, b, A.clip(-BOUND, BOUND), a.clip(-BOUND, BOUND), R, c), means, squares, chains, key, count + 1
