#!/usr/bin/env python3
"""Makes the independent chain of a run: its images and its steady state, but a forward transition that does not look at the image.

    latent-cycles export RUN --out model.safetensors
    python3 independent.py model.safetensors RUN/analysis/latent.npz independent.safetensors
    latent-cycles import independent.safetensors

p(k|x) = pi_k for every x: the likelihood and the images are those of the run, no current flows, and every step forgets all. Needs the
packages safetensors and numpy.
"""
import sys

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

source, latent, target = sys.argv[1:]
tensors = load_file(source)
tensors["forward"][:] = 0
tensors["forward_bias"][:] = np.load(latent)["log_stationary"]
with safe_open(source, "np") as file:
    save_file(tensors, target, metadata=file.metadata())
