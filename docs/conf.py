"""How Sphinx builds these pages: `make docs`."""

from __future__ import annotations

from importlib.metadata import version as installed_version

project = "airflow-mlflow-provider"
author = "the airflow-mlflow-provider developers"
release = version = installed_version("airflow-mlflow-provider")

extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
# The README, changelog and contribution guide link to each other and to files that are not pages.
suppress_warnings = ["myst.xref_missing"]
html_theme = "furo"
