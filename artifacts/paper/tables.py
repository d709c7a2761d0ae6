#!/usr/bin/env python3
"""Prints the tables of README.md from the folders of sweeps; Python's standard library is enough.

    python3 tables.py artifacts/sweeps/price artifacts/paper/binary-units
    python3 tables.py --pair artifacts/paper/pcd rbm-pcd artifacts/paper/binary-units rbm-exact

The first prints a row for each setting, and the differences from the baseline, seed by seed; the second pairs two variants of two sweeps. Beside a sweep's
own summary.csv it reads each run's analysis.json where it is there: T gives the entropy of a step, sum_j pi_j H(T_j), and the null model says what chains
produce whose steps are dealt anew.
"""
import csv
import json
import math
import sys
from pathlib import Path
from statistics import mean, median, stdev

T95 = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}


def show(values, digits):
    """Mean and half of its 95% interval."""
    values = [value for value in values if value is not None]
    if not values:
        return "-"
    if len(values) == 1:
        return f"{values[0]:.{digits}f}"
    half = T95.get(len(values) - 1, 2.0) * stdev(values) / math.sqrt(len(values))
    return f"{mean(values):.{digits}f} ± {half:.{digits}f}"


def middle(values):
    """Median, a figure that is infinite or beyond f64 counting as larger than any other; and how many are so."""
    known = sorted(value for value in values if value is not None)
    if not known:
        return "without end"
    place = len(values) // 2
    text = f"{median(known + [math.inf] * (len(values) - len(known))):.2g}"
    lacking = len(values) - len(known)
    return ("without end" if place >= len(known) else text) + (f" ({lacking} of {len(values)} without end)" if lacking else "")


def step_entropy(analysis):
    """Entropy of the next state given the present one, nats."""
    rows = zip(analysis["stationary"], analysis["transition"])
    return -sum(weight * p * math.log(p) for weight, row in rows for p in row if p > 0)


def number(text):
    return float(text) if text else None


def finished(folder):
    """The rows of the finished runs, by setting."""
    settings = {}
    with open(folder / "summary.csv", newline="") as file:
        for row in csv.DictReader(file):
            if row["status"] == "finished":
                settings.setdefault(row["run"].rsplit("-seed-", 1)[0], []).append(row)
    return settings


def settings(folder):
    print("| setting | runs | log-likelihood | on test images | entropy production | of the path | self-transition, median | relaxation, median "
          "| autocorrelation of pixels, median | of the class, median | class_kl, median | entropy of a step | null model, median | runs above its median |")
    print("|" + "---|" * 14)
    for name, rows in finished(folder).items():
        analyses = [folder / "runs" / row["run"] / "analysis" / "analysis.json" for row in rows]
        analyses = [json.loads(path.read_text()) for path in analyses if path.exists()]
        of = lambda key: [number(row.get(key)) for row in rows]
        nulls = [null for analysis in analyses if (null := analysis.get("shuffled_entropy_production"))]
        entropies = [step_entropy(analysis) for analysis in analyses if "transition" in analysis]
        above = sum(null["share_below"] > 0.5 for null in nulls)
        cells = [name, len(rows), show(of("log_likelihood_train"), 2), show(of("log_likelihood_test"), 2), show(of("entropy_production"), 2),
                 show(of("path_entropy_production"), 1), middle(of("self_transition"))]
        times = ["relaxation_time", "autocorrelation_time", "class_autocorrelation_time", "class_kl"]
        cells += [middle(of(key)) if key in rows[0] else "-" for key in times]
        cells += [show(entropies, 2), show([null["median"] for null in nulls], 1), f"{above} of {len(nulls)}" if nulls else "-"]
        print("| " + " | ".join(map(str, cells)) + " |")


def differences(folder):
    found = json.loads((folder / "summary.json").read_text())["differences"]
    if found:
        print("\n| variant | setting | baseline | seeds | log-likelihood | on test images |\n" + "|" + "---|" * 6)
    for row in found:
        cells = [row["variant"], row["setting"], row["baseline"]]
        figures = [row["figures"].get(key, {}).get("difference") for key in ["log_likelihood_train", "log_likelihood_test"]]
        cells.append(figures[0]["n"] if figures[0] else 0)
        for figure in figures:
            low, high = (figure or {}).get("interval") or (math.nan, math.nan)
            cells.append(f"{figure['mean']:+.2f} ({low:+.2f} to {high:+.2f})" if figure else "-")
        print("| " + " | ".join(map(str, cells)) + " |")


def pair(first, variant, second, other):
    """The first less the second, seed by seed, of settings whose names agree but for the variant."""
    a, b = finished(first), finished(second)
    print("| setting | seeds | log-likelihood | on test images |\n|---|---|---|---|")
    for name, rows in a.items():
        if not name.startswith(variant):
            continue
        partner = {row["training.seed"]: row for row in b.get(other + name[len(variant):], [])}
        pairs = [(row, partner[row["training.seed"]]) for row in rows if row["training.seed"] in partner]
        cells = [f"{name} less {other}", len(pairs)]
        for key in ["log_likelihood_train", "log_likelihood_test"]:
            cells.append(show([float(x[key]) - float(y[key]) for x, y in pairs], 2))
        print("| " + " | ".join(map(str, cells)) + " |")


if sys.argv[1:2] == ["--pair"]:
    pair(Path(sys.argv[2]), sys.argv[3], Path(sys.argv[4]), sys.argv[5])
else:
    for argument in sys.argv[1:]:
        settings(Path(argument))
        differences(Path(argument))
