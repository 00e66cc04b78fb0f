"""The command line of a flow, ``python flow.py …``, and the ``airflow-flow`` console script."""
