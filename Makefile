# Every target sets itself up on a fresh machine (Python 3.10-3.13 and make are enough); a second call costs nothing.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
SHELL := /bin/sh

BIN := .venv/bin
PYTHON_RUN := $(BIN)/python
# Processes of the parallel test run; `make test WORKERS=0` runs in one process (for a debugger).
WORKERS ?= auto
# More options for pytest: make test PYTEST="-k store -x"
PYTEST ?=
PYTEST_RUN = $(PYTHON_RUN) -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

help: ## Show the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

setup: ## Create .venv and install the project with its development tools
	@.ci/bootstrap dev

demo: setup ## Airflow with the example flows, one run finished; STOP_AFTER=1 shuts it down at the end
	@$(PYTHON_RUN) -m dags_examples.demo $(if $(STOP_AFTER),--stop-after)

test: lint ## Lint and every test that is not slow
	@.ci/system-packages
	@$(PYTEST_RUN) -m "not slow and not bench" $(PYTEST)

test-full: lint ## Lint and every test
	@.ci/system-packages
	@$(PYTEST_RUN) -m "not bench" $(PYTEST)

bench: ## The benchmarks, against Metaflow from PyPI (BENCH="B1 B3" for some of them)
	@.ci/bootstrap dev bench
	@$(PYTHON_RUN) -m tests.bench $(BENCH)

lint: setup ## All static checks: ruff, mypy, import contracts, shell, Dockerfiles
	@.ci/lint

format: setup ## Rewrite the sources in the project's format
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

types: setup ## mypy, strict
	@$(BIN)/mypy

docs: setup ## The documentation, into build/docs; warnings are errors
	@NO_MKDOCS_2_WARNING=1 $(PYTHON_RUN) -m mkdocs build --strict --quiet

ui: setup ## The front end's bundles, from airflow_mlflow_provider/frontend
	@$(PYTHON_RUN) airflow_mlflow_provider/frontend/api_types.py
	@.ci/ui

lock: setup ## Refresh the tested versions: .ci/constraints.txt and the step image's requirements
	@.ci/lock

clean: ## Remove what the other targets made, .venv included
	rm -rf .venv build dist .demo .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache .coverage htmlcov
	rm -rf airflow_mlflow_provider/frontend/node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help setup demo test test-full bench lint format types docs ui lock clean
