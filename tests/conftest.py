"""What every test has at hand: the real servers of `tests/services`, and an Airflow home that is nobody else's."""

import pytest

from tests.services.dag_test import prepare_environment, remove_environment

pytest_plugins = ["tests.services.fixtures"]

AIRFLOW_HOME = prepare_environment()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the Airflow home of this process."""
    remove_environment(AIRFLOW_HOME)
