#!/usr/bin/env python3
"""Prints the tables of README.md from the folders that the sweeps leave in artifacts/sweeps; Python's standard library is enough.

Beside what a sweep's own summary.json holds, it reads each run's analysis.json: T gives the entropy of a step, sum_j pi_j H(T_j), and the
null model says what chains produce whose steps are dealt anew.
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


def step_entropy(analysis):
    """Entropy of the next state given the present one, nats."""
    rows = zip(analysis["stationary"], analysis["transition"])
    return -sum(weight * p * math.log(p) for weight, row in rows for p in row if p > 0)


def number(text):
    return float(text) if text else None


def main(folder):
    with open(folder / "summary.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["status"] == "finished"]
    settings = {}
    for row in rows:
        name = row["run"].rsplit("-seed-", 1)[0]
        analysis = folder / "runs" / row["run"] / "analysis" / "analysis.json"
        row["analysis"] = json.loads(analysis.read_text()) if analysis.exists() else None
        settings.setdefault(name, []).append(row)
    print("| setting | runs | log-likelihood | on test images | entropy production | self-transition, median | relaxation, median | class_kl, median |"
          " entropy of a step | null model, median | runs above its median |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for name, rows in settings.items():
        of = lambda key: [number(row[key]) for row in rows]
        middle = lambda key: "-" if not [v for v in of(key) if v is not None] else f"{median(v for v in of(key) if v is not None):.2g}"
        frozen = [row for row in rows if row["analysis"] and number(row["relaxation_time"]) is None]
        nulls = [a["shuffled_entropy_production"] for row in rows if (a := row["analysis"]) and a["shuffled_entropy_production"]]
        entropies = [step_entropy(row["analysis"]) for row in rows if row["analysis"]]
        above = sum(null["share_below"] > 0.5 for null in nulls)
        relaxation = middle("relaxation_time") + (f" ({len(frozen)} without)" if frozen else "")
        print(f"| {name} | {len(rows)} | {show(of('log_likelihood_train'), 2)} | {show(of('log_likelihood_test'), 2)} "
              f"| {show(of('entropy_production'), 2)} | {middle('self_transition')} | {relaxation} | {middle('class_kl')} "
              f"| {show(entropies, 2)} | {show([null['median'] for null in nulls], 1)} | {f'{above} of {len(nulls)}' if nulls else '-'} |")


for argument in sys.argv[1:]:
    main(Path(argument))
