"""The hook of the artifact store, and the credentials that Airflow's connections hold for it."""
