"""Checks an analysis from outside: its arrays with numpy, its graph with Graphviz, its page in headless Chromium.

The figures are computed again here from T alone: pi, both kinds of sums, currents, the cycles' sums, eigenvalues.
"""

import io
import json
import pathlib
import subprocess
import sys

import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright

folder = pathlib.Path(sys.argv[1])
found = json.loads((folder / "analysis.json").read_text())
arrays = np.load(folder / "latent.npz")

# pi from the fundamental linear system, in place of elimination on logarithms.
t = arrays["transition"]
count = len(t)
system = np.vstack([t.T - np.eye(count), np.ones(count)])
pi = np.linalg.lstsq(system, np.r_[np.zeros(count), 1.0], rcond=None)[0]
flux = pi[:, None] * t
currents = flux - flux.T
log_flux = np.log(pi)[:, None] + arrays["log_transition"]
sigma = 0.5 * np.sum(currents * (log_flux - log_flux.T))
assert np.allclose(pi, arrays["stationary"], atol=1e-12)
assert np.allclose(pi, found["stationary"], atol=1e-12)
assert np.allclose(flux, arrays["flux"], atol=1e-12)
assert np.allclose(currents, arrays["currents"], atol=1e-12)
assert np.isclose(sigma, found["entropy_production_of_transition"], rtol=1e-8)
assert abs(np.sum(pi * np.diag(t)) - found["self_transition"]["value"]) < 1e-3
by_modulus = lambda values: sorted(abs(np.asarray(values)))
ours = [complex(re, im) for re, im in found["eigenvalues"]]
assert np.allclose(by_modulus(ours), by_modulus(np.linalg.eigvals(t)), atol=1e-7)

cycled = np.zeros_like(t)
carried = 0.0
for cycle in found["cycles"]:
    states = cycle["states"]
    affinity = 0.0
    for here, there in zip(states, states[1:] + states[:1]):
        cycled[here, there] += cycle["weight"]
        cycled[there, here] -= cycle["weight"]
        affinity += arrays["log_transition"][here, there] - arrays["log_transition"][there, here]
    assert np.isclose(affinity, cycle["affinity"], rtol=1e-9)
    carried += cycle["weight"] * affinity
assert np.allclose(cycled, currents, atol=1e-9)
assert np.isclose(carried, sigma, rtol=1e-9)
print(f"numpy: {count} states, entropy production {sigma:.6f}, {len(found['cycles'])} cycles carry {carried:.6f}")

svg = subprocess.run(["dot", "-Tsvg", folder / "currents.dot"], check=True, capture_output=True, text=True)
assert not svg.stderr, svg.stderr
assert svg.stdout.count('class="edge"') == np.sum(currents > 1e-3 * currents.max())
print("Graphviz:", svg.stdout.count('class="edge"'), "arrows")

with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
    for width, scheme in [(1200, "light"), (1200, "dark"), (700, "light"), (360, "light")]:
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        said, asked = [], []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto((folder / "report.html").absolute().as_uri())
        assert not said, said
        assert all(url.startswith(("file:", "data:")) for url in asked), asked
        assert page.evaluate("document.documentElement.scrollWidth") <= width, "wider than the window"
        assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
        figures = page.locator("figure").all()
        assert len(figures) >= 11, len(figures)
        for figure in figures:
            name = figure.get_attribute("id")
            assert figure.locator("figcaption").inner_text().strip(), name
            # What is drawn: the part above the caption, whose pixels must differ.
            box, caption = figure.bounding_box(), figure.locator("figcaption").bounding_box()
            height = caption["y"] - box["y"]
            assert height > 40, (name, height)
            clip = {"x": box["x"] + 4, "y": box["y"] + 4, "width": box["width"] - 8, "height": height - 8}
            picture = page.screenshot(full_page=True, clip=clip)
            spread = np.asarray(Image.open(io.BytesIO(picture)).convert("L")).std()
            assert spread > 3, f"{name} is blank at {width} {scheme}: {spread}"
        print(f"Chromium: {width} pixels, {scheme}: {len(figures)} figures, none blank, nothing on the console")
    browser.close()
