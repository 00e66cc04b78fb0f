"""What every test has at hand: the real servers of `tests/services`, and an Airflow home that is nobody else's."""

import pytest

from tests.services.dag_test import prepare_environment, remove_environment

pytest_plugins = ["tests.services.fixtures"]

AIRFLOW_HOME = prepare_environment()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the Airflow home of this process."""
    remove_environment(AIRFLOW_HOME)


SERVERS = ("live", "browser", "kubernetes", "postgres")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the modules that need servers: they take long, and whole modules are what the parallel run hands out."""
    first = {item.path for item in items if any(map(item.get_closest_marker, SERVERS))}
    items.sort(key=lambda item: item.path not in first)
