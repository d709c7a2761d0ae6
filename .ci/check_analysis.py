"""Checks an analysis from outside: its arrays with numpy, its graph with Graphviz, its page in headless Chromium, also by clicking.

The figures are computed again here from T alone: pi, both kinds of sums, currents, the cycles' sums, eigenvalues.
"""

import base64
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
assert arrays["eigenvalues"].dtype == complex and np.allclose(ours, arrays["eigenvalues"], rtol=1e-15)
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
assert [[state for state in cycle if state >= 0] for cycle in arrays["cycles"].tolist()] == [cycle["states"] for cycle in found["cycles"]]
assert np.isclose(arrays["cycle_weights"] @ arrays["cycle_affinities"], sigma, rtol=1e-9)
print(f"numpy: {count} states, entropy production {sigma:.6f}, {len(found['cycles'])} cycles carry {carried:.6f}")

svg = subprocess.run(["dot", "-Tsvg", folder / "currents.dot"], check=True, capture_output=True, text=True)
assert not svg.stderr, svg.stderr
# Currents that differ from zero by four standard errors, or by more than rounding where there is no error.
resolved = currents > np.maximum(4 * arrays["currents_error"], 1e-9 * (flux + flux.T))
assert not found["reversibility"]["reversible"]
assert svg.stdout.count('class="edge"') == np.sum(resolved & (currents > 1e-3 * currents.max()))
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

    # What moves, by clicking; also for a reader who asked for less motion, since it moves only when it is told to.
    for motion in ["no-preference", "reduce"]:
        page = browser.new_page(viewport={"width": 1200, "height": 900}, reduced_motion=motion)
        said = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto((folder / "report.html").absolute().as_uri())
        path = json.loads(page.locator("#walk-data").text_content())
        step = lambda: int(page.locator("#walk-at").input_value())
        lit = lambda: page.evaluate("[...document.querySelectorAll('#graph [data-node].lit')].map(node => Number(node.dataset.node))")
        drawn = lambda: page.evaluate(
            "(() => { const c = document.getElementById('walk-image'); const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
            " return Array.from({length: c.width * c.height}, (_, k) => d[4 * k] / 255); })()"
        )

        def at(number):
            assert step() == number and lit() == [path["nodes"][number]], (step(), lit(), number)
            bits = np.unpackbits(np.frombuffer(base64.b64decode(path["images"]), np.uint8), bitorder="little").reshape(len(path["states"]), -1)
            assert np.array_equal(drawn(), bits[number][: path["rows"] * path["columns"]]), number

        page.wait_for_timeout(700)
        at(0)  # Nothing moves by itself.
        page.click("#walk-next")
        at(1)
        page.locator("#walk-speed").fill("5")
        page.click("#walk-play")
        assert page.inner_text("#walk-play") == "Pause"
        page.wait_for_timeout(700)
        page.click("#walk-play")
        reached = step()
        assert reached > 5, reached
        page.wait_for_timeout(300)
        at(reached)
        page.locator("#walk-at").fill("7")
        at(7)
        assert "state" in page.inner_text("#walk-now")

        with page.expect_download() as download:
            page.locator("#graph .save a").first.click()
        saved = pathlib.Path(download.value.path()).read_text()
        assert download.value.suggested_filename == "graph.svg" and "var(--" not in saved and 'class="lit"' not in saved
        picture = browser.new_page()
        picture.set_content(saved)
        assert picture.locator("svg .node").count() == page.locator("#graph svg .node").count()
        picture.close()

        slider = page.locator("#checkpoint")
        if slider.count():
            last = page.inner_text("#checkpoint-name")
            slider.fill("0")
            assert page.inner_text("#checkpoint-name").startswith("after 0 steps") and last != page.inner_text("#checkpoint-name")
            assert page.locator("#checkpoint-shown svg").count() == 3
            assert page.evaluate("[...document.querySelectorAll('#checkpoint-shown img')].every(image => image.complete)")
        else:
            print("no checkpoints beside this analysis: their slider is not tried")
        # The check itself reads the canvas, which Chromium remarks on.
        said = [line for line in said if "willReadFrequently" not in line]
        assert not said, said
        page.emulate_media(media="print")
        assert not page.locator("#walk").is_visible() and not page.locator(".save").first.is_visible()
        print(f"Chromium: the walk plays, pauses and steps when it is told to, drawings are saved, checkpoints slide; motion: {motion}")
    browser.close()
