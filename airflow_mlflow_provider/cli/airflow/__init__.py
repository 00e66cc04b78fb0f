"""The ``airflow`` group of a flow's command line: one file for the commands that belong together."""
