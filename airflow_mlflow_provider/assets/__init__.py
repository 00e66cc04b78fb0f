"""Flows and named artifacts as Airflow assets: URIs of the scheme ``flow``, and the facts that their events carry."""
