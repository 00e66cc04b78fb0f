"""The table and the JSON file."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tests.bench.bench import BUILD, ROOT, Bench, checked
from tests.bench.outcome import Figure

TABLE = ROOT / "docs" / "benchmarks.md"
RESULTS = BUILD / "results.json"
_VERSIONS = ("apache-airflow", "apache-airflow-providers-cncf-kubernetes", "obstore", "numpy")


def conditions(bench: Bench) -> dict[str, str]:
    """Where and with what the figures were taken."""
    metaflow = checked([bench.peer_python, "-c", "import metaflow; print(metaflow.__version__)"]).strip()
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": _commit(),
        "machine": f"{_processor()}, {os.cpu_count()} CPUs, {_memory_gigabytes():.0f} GB, {platform.platform()}",
        "load": " ".join(f"{load:.1f}" for load in os.getloadavg()),
        "python": platform.python_version(),
        "metaflow": metaflow,
        **{name: _version(name) for name in _VERSIONS},
        "rounds": str(bench.rounds),
    }


def line(figure: Figure) -> str:
    """One row of the table."""
    verdict = "" if figure.bar is None else ("met" if figure.bar.met else "**FAILED**")
    bar = "" if figure.bar is None else figure.bar.text
    cells = (figure.benchmark, figure.work, figure.ours, figure.peer, figure.result, bar, verdict)
    return f"| {' | '.join(cells)} |"


def write(figures: Sequence[Figure], facts: dict[str, str]) -> None:
    """Write both files; figures of benchmarks that were not run now are kept from the last time."""
    run_now = {figure.benchmark for figure in figures}
    kept = [entry for entry in _last() if entry["benchmark"] not in run_now]
    entries = kept + [{**asdict(figure), "row": line(figure), "conditions": facts} for figure in figures]
    entries.sort(key=lambda entry: int(entry["benchmark"][1:]))
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps({"figures": entries}, indent=1), "utf-8")
    TABLE.write_text(_markdown(entries), "utf-8")


def _markdown(entries: Sequence[dict[str, object]]) -> str:
    text = [
        "# Benchmarks",
        "",
        "Written by `make bench`; both sides on one machine, alternating, medians. Seconds are for orientation, ratios count. A",
        "bar that is not met says **FAILED**.",
        "",
        "| | work | ours | Metaflow or peer | result | bar | |",
        "|---|---|---|---|---|---|---|",
        *(str(entry["row"]) for entry in entries),
        "",
    ]
    groups: dict[str, list[str]] = {}
    for entry in entries:
        names = groups.setdefault(json.dumps(entry["conditions"]), [])
        if entry["benchmark"] not in names:
            names.append(str(entry["benchmark"]))
    for facts, names in groups.items():
        text += [
            f"**{', '.join(names)}**: " + "; ".join(f"{k} {v}" for k, v in json.loads(facts).items()),
            "",
        ]
    return "\n".join(text)


def _last() -> list[dict[str, object]]:
    if not RESULTS.exists():
        return []
    found: list[dict[str, object]] = json.loads(RESULTS.read_text("utf-8"))["figures"]
    return found


def _commit() -> str:
    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.strip()

    changed = git("status", "--porcelain", "--", "airflow_mlflow_provider")
    return git("rev-parse", "--short=12", "HEAD") + (" with changes" if changed else "")


def _processor() -> str:
    for text in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        if text.startswith("model name"):
            return text.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory_gigabytes() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "absent"
