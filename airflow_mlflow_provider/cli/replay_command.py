"""``replay``: a run's own code once more, on the same parameters and configs, and whether it comes to the same."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from airflow_mlflow_provider.cli.output_file import OutputFile
from airflow_mlflow_provider.cli.session import Session, checked_tags
from airflow_mlflow_provider.exception import CommandException, MetaflowNotFound
from airflow_mlflow_provider.flow.spec import FlowSpec
from airflow_mlflow_provider.plan.manifest import FlowManifest, decode
from airflow_mlflow_provider.runtime.comparing import TaskComparison, compare_runs
from airflow_mlflow_provider.runtime.package import FLOW_FOLDER, unpack_package
from airflow_mlflow_provider.store.ledger import Ledger
from airflow_mlflow_provider.store.records import RunRecord
from airflow_mlflow_provider.version import __version__


def make(name: str, flow_class: type[FlowSpec]) -> click.Command:
    """The ``replay`` command."""
    return replay


@click.command("replay", help="Run the code that RUN_ID was started with once more, on the same parameters.")
@click.argument("run_id")
@click.option("--from", "from_step", help="Take over what finished before this step.")
@click.option(
    "--compare", is_flag=True, help="Tell which artifacts differ; any difference gives exit code 1."
)
@click.option("--tag", "tags", multiple=True, help="Tag of the new run; may be repeated.")
@click.option("--run-id-file", type=OutputFile(), help="Write the new run's id there.")
@click.pass_obj
def replay(
    session: Session,
    run_id: str,
    from_step: str | None,
    compare: bool,
    tags: tuple[str, ...],
    run_id_file: str | None,
) -> int:
    """Run in a temporary folder; the origin stays as it is."""
    ledger, run = session.ledger(), run_id.removeprefix(f"{session.flow_name}/")
    record = _record(ledger, session.flow_name, run)
    manifest = decode(ledger.blob(record.manifest), f"manifest of {session.flow_name}/{run}")
    if from_step is not None and from_step not in manifest.graph:
        raise CommandException(
            f"The run {run} has no step '{from_step}'.",
            fix=f"Name one of {', '.join(manifest.graph.steps)}.",
            where={"run": run, "step": from_step},
        )
    for line in _machine_differences(record):
        click.secho(line, fg="yellow", err=True)
    with tempfile.TemporaryDirectory(prefix="replay-") as folder:
        root = unpack_package(ledger, record.code, Path(folder) / "code")
        id_file = Path(run_id_file).resolve() if run_id_file else Path(folder) / "run_id"
        id_file.unlink(missing_ok=True)
        options = [f"--origin-run-id={run}", "--no-cache", f"--run-id-file={id_file}"]
        options += [f"--tag={tag}" for tag in checked_tags(tags)]
        command = [
            *(sys.executable, str(root / FLOW_FOLDER / manifest.code.script)),
            *_top_level(session, manifest),
            *("resume", from_step or manifest.graph.start, *options),
        ]
        returncode = subprocess.run(
            command, cwd=root / FLOW_FOLDER, env=_environment(root), check=False
        ).returncode
        new = id_file.read_text("utf-8").strip() if id_file.exists() else ""
    if not new or not compare:
        return returncode
    for line in _lock_differences(record, ledger.run(session.flow_name, new)):
        click.secho(line, fg="yellow", err=True)
    found = compare_runs(ledger, session.flow_name, run, new, manifest.graph.topological())
    for line in _report(found):
        click.echo(line)
    return returncode or (0 if all(task.is_equal for task in found) else 1)


def _record(ledger: Ledger, flow: str, run: str) -> RunRecord:
    try:
        record = ledger.run(flow, run)
    except MetaflowNotFound as error:
        raise CommandException(
            f"There is no run {flow}/{run} to replay. Latest runs: {', '.join(ledger.latest(flow, 5)) or 'none'}.",
            fix="Name a run of this flow, or its store with --datastore-root.",
            where={"flow": flow, "run": run},
        ) from error
    if not record.code:
        raise CommandException(
            f"The run {flow}/{run} was started without storing its code.",
            fix="Name another run.",
            where={"flow": flow, "run": run},
        )
    return record


def _top_level(session: Session, manifest: FlowManifest) -> Iterator[str]:
    yield f"--datastore-root={session.store_url}"
    yield f"--environment={manifest.environment}"
    yield "--no-pylint"
    if session.options.quiet:
        yield "--quiet"
    for spec in manifest.decospecs:
        yield f"--with={spec}"
    kind, _, branch = (manifest.project.branch if manifest.project else "").partition(".")
    if kind == "prod":
        yield "--production"
    if kind in ("prod", "test") and branch:
        yield f"--branch={branch}"


def _environment(root: Path) -> dict[str, str]:
    """The code that was packaged besides the flow's folder is found first."""
    others = os.environ.get("PYTHONPATH")
    path = f"{root}{os.pathsep}{others}" if others else str(root)
    return {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}


def _machine_differences(record: RunRecord) -> Iterator[str]:
    for what, then, now in (
        ("Python", record.python, platform.python_version()),
        ("airflow-mlflow-provider", record.provider, __version__),
    ):
        if then and then != now:
            yield f"{what} is {now} here, and was {then} in {record.run}."


def _lock_differences(old: RunRecord, new: RunRecord) -> Iterator[str]:
    for step in sorted({*old.environments, *new.environments}):
        if old.environments.get(step) != new.environments.get(step):
            yield f"The packages of step {step} are locked otherwise than in {old.run}."


def _report(found: Sequence[TaskComparison]) -> Iterator[str]:
    for task in found:
        names = (
            ("different", task.different),
            ("only in the origin", task.missing),
            ("only in the replay", task.added),
        )
        parts = [f"{what}: {', '.join(group)}" for what, group in names if group]
        told = task.problem or "; ".join(parts) or "equal"
        yield f"{task.step}/{task.task}  {told}  ({len(task.equal)} equal)"
    differ = sum(not task.is_equal for task in found)
    yield (
        f"{len(found)} tasks compared, {differ} differ."
        if differ
        else f"{len(found)} tasks compared, all equal."
    )
