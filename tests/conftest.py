"""What every test has at hand: the real servers of `tests/services`."""

pytest_plugins = ["tests.services.fixtures"]
