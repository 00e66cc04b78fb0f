"""From a graph to what schedulers run: identities, the manifest, units. Pure: no I/O, no user code, no Airflow."""
