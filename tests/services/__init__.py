"""Real servers for tests: S3, PostgreSQL, Airflow and a browser. `README.md` beside this file shows how to use them."""
