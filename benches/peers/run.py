"""Times one training step of every peer beside ours on the same cores, and checks that every peer learns."""

import argparse
import importlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
PEERS = {  # name: module, class, what to install
    "NumPy": ("step_numpy", "Peer", "numpy"),
    "JAX": ("step_jax", "Peer", "jax"),
    "PyTorch, eager": ("step_torch", "Peer", "torch"),
    "PyTorch, compiled": ("step_torch", "Compiled", "torch"),
}
CODED = {"NumPy": ("codes_numpy", "Peer", "numpy"), "JAX": ("codes_jax", "Peer", "jax")}  # latent layers with structure
UNITS = {"JAX": ("units_jax", "Peer", "jax")}  # many binary units
PRODUCTS = "five dense products, OpenBLAS"
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def known(latent):
    """The peers of a latent layer."""
    if latent.isdigit():
        return PEERS
    return UNITS if latent.startswith("units-") else CODED


def work(name, options):
    """A worker: builds one peer, then answers each "go N" with the seconds that N steps took."""
    answers = sys.stdout
    sys.stdout = sys.stderr  # what a library prints is no answer
    latent = options.latent[0]
    peers = known(latent)
    module, kind, package = peers.get(name) or peers["NumPy"]
    try:
        module = importlib.import_module(module)
    except ImportError as error:
        return print(f"{error}; pip install {package}", file=answers)
    import codes
    import common
    import units

    images = common.load_images()
    peer = getattr(module, kind)(images, int(latent) if latent.isdigit() else latent, options.chains, options.batch, options.seed, options.device)
    run = products(peer) if name == PRODUCTS else peer.run
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        command, *steps = line.split()
        if command == "check":
            if latent.isdigit():
                likelihood = common.log_likelihood(images, *peer.parameters())
            elif peers is UNITS:
                likelihood = units.bound(images, *peer.parameters())
            else:
                likelihood = codes.log_likelihood(images, peer.layer, *peer.parameters())
            print(likelihood, file=answers, flush=True)
            continue
        start = time.perf_counter()
        run(int(steps[0]))
        print(time.perf_counter() - start, file=answers, flush=True)


def products(peer):
    """The step's five products alone, of the same matrices: a floor under any step that computes them densely."""
    import numpy as np

    W, A, chains, images = peer.W, peer.A, peer.chains, peer.minibatch
    r, forward, backward = np.empty_like(peer.p), np.empty_like(W), np.empty_like(A)
    log_q = np.empty((len(images), len(A)), np.float32)

    def run(steps):
        for _ in range(steps):
            np.matmul(chains, W, out=r)
            np.matmul(chains, W, out=r)
            np.matmul(images, A.T, out=log_q)
            np.matmul(log_q.T, images, out=backward)
            np.matmul(chains.T, r, out=forward)

    peer.run(1)  # fills the matrices
    return run


class Worker:
    """A peer in a process of its own, which sleeps while others are timed."""

    def __init__(self, name, latent, options):
        self.name, self.times = name, []
        environment = {key: str(CORES) for key in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
        environment["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"  # the peers share one GPU
        command = [sys.executable, __file__, "--worker", name, "--latent", latent, "--chains", options.chains]
        command += ["--batch", options.batch, "--seed", options.seed, "--device", options.device]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen(list(map(str, command)), env=os.environ | environment, **pipes)
        answer = self.process.stdout.readline().strip()
        self.problem = None if answer == "ready" else answer or "it failed, see above"

    def ask(self, question):
        try:
            self.process.stdin.write(question + "\n")
            self.process.stdin.flush()
            return float(self.process.stdout.readline())
        except (OSError, ValueError):
            self.problem = "it failed, see above"
            return float("nan")

    def warm_up(self, seconds):
        """Compiles, and sets how many steps one measurement takes."""
        self.steps, taken = 10, 0.0
        while not self.problem and taken < seconds / 2:
            self.ask(f"go {self.steps}")  # a number of steps that is new may compile
            taken = self.ask(f"go {self.steps}")
            if taken < seconds / 2:
                self.steps = 10 * round(self.steps * min(seconds / taken, 100) / 10)

    def measure(self):
        self.ask("go 10")  # wakes the threads and fills the caches
        self.times.append(1e3 * self.ask(f"go {self.steps}") / self.steps)

    def close(self):
        self.process.communicate()


class Ours:
    """This repository's program, started anew for each measurement."""

    def __init__(self, backend, latent, options):
        self.name, self.times, self.problem = f"ours, {backend}", [], None
        self.result = pathlib.Path(tempfile.mkdtemp()) / "bench.json"
        form = latent
        if latent.startswith("units-"):
            form = f'{{ kind = "binary", units = {latent.removeprefix("units-")} }}'
        elif not latent.isdigit():
            from codes import Layer

            form = Layer(latent).toml
        self.command = [options.ours, "bench", "--backend", backend, "--latent", form, "--chains", options.chains]
        self.command += ["--batch", options.batch, "--seconds", options.seconds, "--out", self.result]

    def warm_up(self, seconds):
        self.measure()
        self.times.clear()

    def measure(self):
        try:
            subprocess.run(list(map(str, self.command)), check=True, capture_output=True, text=True)
            self.times.append(json.loads(self.result.read_text())[0]["step_ms"])
        except (OSError, subprocess.CalledProcessError, ValueError, LookupError) as error:
            said = (getattr(error, "stderr", None) or "").strip().splitlines()
            self.problem = said[0] if said else str(error)

    def close(self):
        self.result.unlink(missing_ok=True)
        self.result.parent.rmdir()


def compare(latent, options):
    """Measures everything in turn, round after round, so that a change of the machine's load meets all alike."""
    ours = [Ours(backend, latent, options) for backend in options.backends]
    peers = [name for name in options.peers if latent.isdigit() or name in known(latent)]
    entries = [*ours, *(Worker(name, latent, options) for name in peers)]
    for entry in entries:
        if not entry.problem:
            entry.warm_up(options.seconds)
    for _ in range(options.rounds):
        for entry in entries:
            if not entry.problem:
                entry.measure()
    rows = []
    for entry in entries:
        row = {"who": entry.name, "latent": latent, "chains": options.chains, "batch": options.batch}
        row |= {"device": options.device, "cores": CORES}
        if entry.problem:
            rows.append(row | {"problem": entry.problem})
        else:
            median, low, high = statistics.median(entry.times), min(entry.times), max(entry.times)
            rows.append(row | {"median_ms": median, "min_ms": low, "max_ms": high, "times_ms": entry.times})
        entry.close()
    best = min((row["median_ms"] for row in rows[: len(ours)] if "median_ms" in row), default=None)
    for row in rows:
        row["ratio"] = row["median_ms"] / best if best and "median_ms" in row else None
    return rows


def show(rows, options):
    first = rows[0]
    print(f"\nL = {first['latent']}, N = {first['chains']}, B = {first['batch']}, {options.device}, {CORES} cores\n")
    print("| who | ms per step (median) | min..max | ratio to ours |\n|---|---|---|---|")
    for row in rows:
        if "problem" in row:
            print(f"| {row['who']} | not measured: {row['problem']} | | |")
        else:
            ratio = f"{row['ratio']:.2f}" if row["ratio"] else ""
            print(f"| {row['who']} | {row['median_ms']:.2f} | {row['min_ms']:.2f}..{row['max_ms']:.2f} | {ratio} |")
    sys.stdout.flush()


def check(options):
    """Trains every peer and prints the log-likelihood of the training images."""
    latent = options.latent[0]
    print(f"L = {latent}, nats per image\n\n| who | at step 0 | at step {options.check} |\n|---|---|---|", flush=True)
    for name in options.peers:
        if name != PRODUCTS and name in known(latent):
            worker = Worker(name, latent, options)
            before = worker.problem or f"{worker.ask('check'):.1f}"
            worker.ask(f"go {options.check}")
            print(f"| {name} | {before} | {worker.ask('check'):.2f} |", flush=True)
            worker.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    latent = "numbers of latent states, or layers such as binary-10 (units), grid-24x24 and units-100 (more than have their states listed)"
    parser.add_argument("--latent", nargs="+", default=["10", "100"], help=latent)
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--chains", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.0, help="length of one measurement")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--peers", nargs="+", metavar="NAME", help=f"of {', '.join([*PEERS, PRODUCTS])}")
    parser.add_argument("--backends", nargs="+", help="ours: ndarray, or with --device cuda wgpu and cuda")
    parser.add_argument("--ours", default=HERE.parents[1] / "target" / "release" / "latent-cycles", help="our program")
    parser.add_argument("--out", help="a JSON file for the figures")
    parser.add_argument("--check", type=int, nargs="?", const=2000, metavar="STEPS", help="train instead, 2000 steps")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        return work(options.worker, options)
    gpu = options.device == "cuda"
    options.backends = options.backends or (["wgpu", "cuda"] if gpu else ["ndarray"])
    # NumPy knows no GPU
    options.peers = options.peers or [name for name in [*PEERS, PRODUCTS] if not (gpu and name in ("NumPy", PRODUCTS))]
    if options.check:
        return check(options)
    figures = []
    for latent in options.latent:
        rows = compare(latent, options)
        show(rows, options)
        figures += rows
    if options.out:
        pathlib.Path(options.out).write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
