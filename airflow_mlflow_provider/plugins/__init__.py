"""The Airflow UI: a tab on DAG runs that shows the flow's run as the store knows it, and resumes it."""
