"""`python -m tests.bench [B1 …] [--rounds N]`: run benchmarks, print and write their figures.

The exit code is 1 if a bar is not met, 2 if a benchmark could not be run.
"""

from __future__ import annotations

import argparse
import importlib
import sys

from tests.bench import report
from tests.bench.bench import Bench, BenchFailed
from tests.bench.outcome import Figure

MODULES = {
    "B1": "b1_foreach",
    "B2": "b2_wide_foreach",
    "B3": "b3_start",
    "B4": "b4_array",
    "B5": "b5_small_artifacts",
    "B6": "b6_s3_requests",
    "B7": "b7_objects",
    "B8": "b8_resume",
    "B9": "b9_parse",
    "B10": "b10_airflow",
    "B11": "b11_pods",
    "B12": "b12_latest",
    "B13": "b13_objects",
    "B14": "b14_wide_airflow",
    "B15": "b15_xcom",
    "B16": "b16_warm_pods",
}


def main() -> int:
    """Run what the command line names; everything by default."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="B1", help=f"of {', '.join(MODULES)}; all by default")
    parser.add_argument("--rounds", type=int, default=5, help="samples of each side (default: 5)")
    options = parser.parse_args()
    unknown = sorted(set(options.names) - set(MODULES))
    if unknown:
        parser.error(f"there is no {', '.join(unknown)}; there are {', '.join(MODULES)}")
    bench = Bench(options.rounds)
    facts = report.conditions(bench)
    figures: list[Figure] = []
    broken = 0
    for name in options.names or MODULES:
        try:
            for figure in importlib.import_module(f"tests.bench.{MODULES[name]}").run(bench):
                figures.append(figure)
                print(report.line(figure), flush=True)
        except BenchFailed as error:
            broken += 1
            print(f"{name} could not be run: {error}", file=sys.stderr, flush=True)
    report.write(figures, facts)
    print(f"\nwritten: {report.TABLE} and {report.RESULTS}")
    missed = [figure for figure in figures if figure.bar is not None and not figure.bar.met]
    for figure in missed:
        print(f"FAILED {figure.benchmark}: {figure.work}: {figure.result}")
    return 2 if broken else min(1, len(missed))


if __name__ == "__main__":
    sys.exit(main())
