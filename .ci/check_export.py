"""Reads exported models with the safetensors package and computes their exact figures again with numpy, by enumeration.

What is computed is what each file says that it is: the formulas in its metadata are Python.
"""

import itertools
import json
import pathlib
import re
import sys
import tomllib

import numpy
from safetensors import safe_open


def softmax(logits):
    p = numpy.exp(logits - logits.max())
    return p / p.sum()


def sigmoid(logit):
    return 1 / (1 + numpy.exp(-logit))


def codes_of(layer):
    """The codes and log-weights of a layer's states, made from its description alone."""
    if layer["kind"] == "binary":
        codes = numpy.array(list(itertools.product([0.0, 1.0], repeat=layer["units"])))
        return codes, numpy.zeros(len(codes))
    if layer["kind"] == "groups":
        values = itertools.product(*(range(size) for size in layer["sizes"]))
        units = [numpy.eye(size) for size in layer["sizes"]]
        codes = numpy.array([numpy.concatenate([unit[value] for unit, value in zip(units, state)]) for state in values])
        return codes, numpy.zeros(len(codes))
    axis = numpy.linspace(-layer["range"], layer["range"], layer["points"])
    codes = numpy.array(list(itertools.product(axis, repeat=layer["dimensions"])))
    return codes, -(codes**2).sum(axis=1) / 2


def check(folder):
    with safe_open(folder / "model.safetensors", framework="numpy") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}
        metadata = file.metadata()
    visible, latent = int(metadata["visible"]), int(metadata["latent"])
    arrays = {name: tensor for name, tensor in tensors.items() if not name.startswith("code")}
    assert all(tensor.dtype == numpy.float32 for tensor in arrays.values())
    assert tensors["forward"].shape[0] == visible and tensors["backward"].shape[1] == visible
    if "layers" not in metadata:
        assert arrays.keys() == tensors.keys() == {"forward", "forward_bias", "backward"}
        assert tensors["forward"].shape == (visible, latent) and tensors["backward"].shape == (latent, visible)
    else:
        layers = tomllib.loads("layers = " + metadata["layers"])["layers"]
        layers = layers if isinstance(layers, list) else [layers]
        for number, layer in enumerate(layers, start=1):
            ending = f"_{number}" if len(layers) > 1 else ""
            if isinstance(layer, dict):
                codes, log_weights = codes_of(layer)
                for name, own in [("codes", codes), ("code_log_weights", log_weights)]:
                    found = tensors[name + ending]
                    assert found.dtype == numpy.float64 and found.shape == own.shape, (name, found.shape)
                    assert abs(found - own).max() < 1e-14, (name, abs(found - own).max())

    names = {name: tensor.astype(numpy.float64) for name, tensor in tensors.items()}
    names |= {"softmax": softmax, "sigmoid": sigmoid}
    formulas = metadata["format"].removeprefix("latent-cycles model: ")
    formulas = re.findall(r"([pq])\((\w+)(?:=1)?\|(\w+)\) = (.*?)(?=, [pq]\(|$)", formulas)
    assert [kind for kind, *_ in formulas] == ["p"] * (len(formulas) - 1) + ["q"], formulas

    def forward(images):
        """p(z|x) of the last layer, through all of them."""
        _, _, _, formula = formulas[0]
        p = numpy.array([eval(formula, names | {"x": x}) for x in images])
        for _, _, given, formula in formulas[1:-1]:
            p = p @ numpy.array([eval(formula, names | {given: state}) for state in range(p.shape[1])])
        return p

    figures = json.loads((folder / "figures.json").read_text())
    images = numpy.array(figures["images"], dtype=numpy.float64)
    errors = [abs(forward(images) - figures["forward"]).max()]

    _, _, state, formula = formulas[-1]
    means = numpy.array(
        [[eval(formula, names | {state: z, "i": i}) for i in range(visible)] for z in range(latent)]
    )
    log_q = lambda x: x @ numpy.log(means).T + (1 - x) @ numpy.log1p(-means).T
    every = numpy.array(list(itertools.product([0.0, 1.0], repeat=visible)))
    p, q = forward(every), numpy.exp(log_q(every))
    transition = q.T @ p
    errors.append(abs(transition - figures["transition"]).max())
    # pi = pi T, with one of the equations replaced by sum pi = 1.
    equations = (transition - numpy.eye(latent)).T
    equations[-1] = 1
    pi = numpy.linalg.solve(equations, numpy.eye(latent)[-1])
    errors.append(abs(numpy.log(numpy.exp(log_q(images)) @ pi).mean() - figures["log_likelihood"]))
    flux = pi[:, None] * transition
    produced = (flux * numpy.log(flux / flux.T)).sum()
    errors.append(abs(produced - figures["entropy_production"]) / max(produced, 1))
    # E [ ln q(x|z) p(z'|x) / q(x|z') p(z|x) ] over z ~ pi, x ~ q(.|z), z' ~ p(.|x)
    joint = q * pi
    ratio = numpy.log(q) - numpy.log(p)
    path = (joint * ratio).sum() - (joint.sum(axis=1, keepdims=True) * p * ratio).sum()
    errors.append(abs(path - figures["path_entropy_production"]) / max(path, 1))
    print(
        f"{metadata.get('layers', latent)}: {visible} pixels, {latent} states, entropy production {produced:.6f} of {path:.6f}:"
        f" largest difference {max(errors):.1e}"
    )
    assert max(errors) < 1e-9, errors


folders = sorted(pathlib.Path(sys.argv[1]).iterdir())
assert len(folders) == 7, folders
for folder in folders:
    check(folder)
