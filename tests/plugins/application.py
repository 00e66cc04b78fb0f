"""The application of the views in this process, for what it says of itself."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import FastAPI


def application() -> FastAPI:
    """The application that is mounted in Airflow's API server."""
    with warnings.catch_warnings():
        # What Airflow's API imports warns about its dependencies; only our own warnings are our errors.
        warnings.simplefilter("ignore")
        from airflow_mlflow_provider.plugins.api import create_app
    return create_app()
