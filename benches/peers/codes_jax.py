"""The training step with codes in JAX: many steps in one jitted loop with donated state."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.nn import log_softmax, logsumexp, sigmoid, softplus

from codes import Layer, start
from common import BOUND, DECAY, EPSILON, RATE, STEPS, Batches
from step_jax import CHUNK, log_mean_exp


class Peer:
    name = "JAX"

    def __init__(self, images, latent, chains, batch, seed, device="cpu"):
        key = jax.random.key(seed, impl="rbg" if device == "cuda" else "threefry2x32")
        device = jax.devices(device)[0]
        self.layer = layer = Layer(latent)
        *theta, x = start(images, layer, chains, seed)
        state = tuple(theta), tuple(map(np.zeros_like, theta)), x, key, 0
        self.images, self.state = jax.device_put((images, state), device)
        self.many = jax.jit(functools.partial(many, layer), donate_argnums=0)
        self.batches = Batches(len(images), batch, seed)

    def run(self, steps):
        for first in range(0, steps, CHUNK):
            indices = self.batches.take(min(CHUNK, steps - first)).astype(np.int32)
            self.state = self.many(self.state, self.images, indices)
        jax.block_until_ready(self.state)

    def parameters(self):
        return [np.asarray(array) for array in self.state[0]]


def many(layer, state, images, indices):
    return lax.scan(lambda state, index: (step(layer, state, images[index]), None), state, indices)[0]


def step(layer, state, images):
    (W, b, A, a), squares, chains, key, count = state
    codes, values = jnp.asarray(layer.codes), jnp.asarray(layer.values)
    key, latent_key, visible_key = jax.random.split(key, 3)

    # each unit or axis on its own, then the image, whose logits only the drawn codes need
    logits = factor_logits(layer, chains @ W + b)  # [N, H, S]
    if values.shape[1] == 2:
        on = jax.random.uniform(latent_key, logits.shape[:2]) < sigmoid(logits[:, :, 1])
        z = on.astype(jnp.float32)
    else:
        cumulative = jnp.cumsum(jnp.exp(log_softmax(logits, 2)), 2)
        point = jax.random.uniform(latent_key, (*logits.shape[:2], 1)) * cumulative[:, :, -1:]
        index = jnp.minimum((cumulative <= point).sum(2), values.shape[1] - 1)
        z = jnp.take_along_axis(values[None], index[:, :, None], 2)[:, :, 0]
    chains = (jax.random.uniform(visible_key, chains.shape) < sigmoid(a + z @ A)).astype(jnp.float32)

    logits = chains @ W + b
    factors = factor_logits(layer, logits)
    log_p = logits @ codes.T + layer.weights - logsumexp(factors, 2).sum(1, keepdims=True)  # the product of the factors
    log_pi = log_mean_exp(log_p)

    table = a + codes @ A  # [L, D]
    s = sigmoid(table)
    log_q = (images @ A.T) @ codes.T - softplus(table).sum(1)
    log_joint = log_q + log_pi
    log_density = logsumexp(log_joint, 1, keepdims=True)
    log_u = log_mean_exp(log_q - log_density)
    r = jnp.exp(log_joint - log_density)

    expected = r.sum(0)[:, None] * s
    gradient_A = ((r @ codes).T @ images - codes.T @ expected) / len(images)
    gradient_a = images.mean(0) - expected.sum(0) / len(images)
    credit = jnp.exp(log_p + log_u)
    excess = (credit - jnp.exp(log_p) * credit.sum(1, keepdims=True)) / len(chains)
    pull = excess @ codes
    gradients = chains.T @ pull, pull.sum(0), gradient_A, gradient_a

    rate = RATE / 2 * jnp.maximum(0.0, 1 - count / STEPS)
    squares = tuple(DECAY * v + (1 - DECAY) * g * g for v, g in zip(squares, gradients))
    W, b, A, a = (t + rate * g / (jnp.sqrt(v) + EPSILON) for t, g, v in zip((W, b, A, a), gradients, squares))
    return (W, b, A.clip(-BOUND, BOUND), a.clip(-BOUND, BOUND)), squares, chains, key, count + 1


def factor_logits(layer, logits):
    return logits[:, :, None] * layer.values + layer.value_weights
