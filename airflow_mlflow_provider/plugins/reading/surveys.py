"""How the tasks of a run stand, remembered for as long as it cannot change."""

from __future__ import annotations

import functools
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from airflow_mlflow_provider.plugins.stores import ledger_at
from airflow_mlflow_provider.store.survey import SurveyedTask, survey_step

# While a run goes on, those who look at it within so many seconds see the same listing.
_FRESH_SECONDS = 2
_AT_ONCE = 8


def survey(store: str, flow: str, run: str, step: str, ended_at: float | None) -> tuple[SurveyedTask, ...]:
    """The tasks of a step in the order of the splits.

    Args:
        store: URL of the store.
        flow: Name of the flow.
        run: Run id.
        step: Name of the step.
        ended_at: When the run ended, ``None`` while it goes on.
    """
    moment = -float(time.time() // _FRESH_SECONDS) if ended_at is None else ended_at
    return _survey(store, flow, run, step, moment)


def survey_all(
    store: str, flow: str, run: str, steps: Sequence[str], ended_at: float | None
) -> list[tuple[SurveyedTask, ...]]:
    """The same of several steps, listed side by side."""
    if len(steps) < 2:
        return [survey(store, flow, run, step, ended_at) for step in steps]
    with ThreadPoolExecutor(min(_AT_ONCE, len(steps)), thread_name_prefix="survey") as pool:
        return list(pool.map(lambda step: survey(store, flow, run, step, ended_at), steps))


@functools.lru_cache(maxsize=64)
def _survey(store: str, flow: str, run: str, step: str, moment: float) -> tuple[SurveyedTask, ...]:
    """``moment`` is a key only: what is remembered for it stays true."""
    return tuple(survey_step(ledger_at(store), flow, run, step))
