"""Tests of `airflow_mlflow_provider.dag`."""
