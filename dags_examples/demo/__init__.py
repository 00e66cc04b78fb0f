"""`make demo`: from nothing to a running Airflow with the example flows deployed and one of them run."""
