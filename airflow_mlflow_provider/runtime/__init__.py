"""Runs steps: one task runner for the laptop, the Airflow worker and the pod, and the scheduler of a region."""
