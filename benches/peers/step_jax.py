"""The training step in JAX: many steps in one jitted loop with donated state."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.nn import log_softmax, logsumexp, softplus

from common import BOUND, DECAY, EPSILON, RATE, STEPS, Batches, start

CHUNK = 100  # steps in one call
jax.config.update("jax_default_matmul_precision", "highest")  # f32 on a GPU too, not TF32


class Peer:
    name = "JAX"

    def __init__(self, images, latent, chains, batch, seed, device="cpu"):
        # of JAX's generators threefry is the fastest on a CPU, by 3 times, and rbg on a GPU
        key = jax.random.key(seed, impl="rbg" if device == "cuda" else "threefry2x32")
        device = jax.devices(device)[0]
        W, b, A, x = start(images, latent, chains, seed)
        theta = W.T, b, A  # W lies as [L, D]: excess.T @ chains takes XLA's CPU a third of chains.T @ excess at L = 10
        state = theta, tuple(map(np.zeros_like, theta)), x, key, 0
        self.images, self.state = jax.device_put((images, state), device)
        self.batches = Batches(len(images), batch, seed)

    def run(self, steps):
        for first in range(0, steps, CHUNK):
            indices = self.batches.take(min(CHUNK, steps - first)).astype(np.int32)
            self.state = many(self.state, self.images, indices)
        jax.block_until_ready(self.state)

    def parameters(self):
        W, b, A = map(np.asarray, self.state[0])
        return W.T, b, A


def many(state, images, indices):
    return lax.scan(lambda state, index: (step(state, images[index]), None), state, indices)[0]


many = jax.jit(many, donate_argnums=0)


def step(state, images):
    (W, b, A), squares, chains, key, count = state
    key, latent_key, visible_key = jax.random.split(key, 3)

    # z by inverse CDF: one draw a chain, where Gumbel noise takes L
    logits = chains @ W.T + b
    cumulative = jnp.cumsum(jnp.exp(logits - logits.max(1, keepdims=True)), 1)
    point = jax.random.uniform(latent_key, (len(chains), 1)) * cumulative[:, -1:]
    z = jnp.minimum((cumulative <= point).sum(1), len(A) - 1)
    s = jax.nn.sigmoid(A)
    # uniforms of 23 bits; 32 raw bits against s(A) 2^32 take as long: threefry is what costs
    chains = (jax.random.uniform(visible_key, chains.shape) < s[z]).astype(jnp.float32)

    log_p = log_softmax(chains @ W.T + b)
    log_pi = log_mean_exp(log_p)

    log_q = images @ A.T - softplus(A).sum(1)
    log_joint = log_q + log_pi
    log_density = logsumexp(log_joint, 1, keepdims=True)
    log_u = log_mean_exp(log_q - log_density)
    r = jnp.exp(log_joint - log_density)

    gradient_A = (r.T @ images - r.sum(0)[:, None] * s) / len(images)
    credit = jnp.exp(log_p + log_u)
    excess = (credit - jnp.exp(log_p) * credit.sum(1, keepdims=True)) / len(chains)
    gradients = excess.T @ chains, excess.sum(0), gradient_A

    rate = RATE * jnp.maximum(0.0, 1 - count / STEPS)
    squares = tuple(DECAY * v + (1 - DECAY) * g * g for v, g in zip(squares, gradients))
    W, b, A = (t + rate * g / (jnp.sqrt(v) + EPSILON) for t, g, v in zip((W, b, A), gradients, squares))
    return (W, b, A.clip(-BOUND, BOUND)), squares, chains, key, count + 1


def log_mean_exp(a):
    """ln of the mean of exp over the rows."""
    top = a.max(0)
    return jnp.log(jnp.exp(a - top).mean(0)) + top
