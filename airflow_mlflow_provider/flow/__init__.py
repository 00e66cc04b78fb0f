"""What a user writes, and the graph and lint findings read from it. No I/O but reading source; no Airflow."""
