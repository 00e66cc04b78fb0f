"""Tests of `airflow_mlflow_provider.operators`."""
