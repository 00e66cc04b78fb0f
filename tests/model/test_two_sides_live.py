"""Random flows that fail, are edited and resumed, here and by the API server of a live Airflow, end as if nothing had happened."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings

from tests.model.graphs import flows
from tests.model.live_side import InLiveAirflow
from tests.model.test_two_sides import BOTH, PROFILE, SHAPED, journeys
from tests.model.two_sides import Journey, Leg
from tests.services.airflow import LiveAirflow

pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.timeout(1800)]


@settings(PROFILE, max_examples=5)
@given(legs=journeys(BOTH, flows() | SHAPED))
def test_journeys_through_a_live_airflow_end_as_if_nothing_had_happened(
    live_airflow_sqlite: LiveAirflow, legs: list[Leg]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Journey(Path(folder), InLiveAirflow(live_airflow_sqlite), live_airflow_sqlite.store).check(legs)
