"""Resuming a run into a new DAG run whose finished task instances are there from the first moment on.

``instances`` says which task instances those are, ``writing`` puts them and the DAG run into Airflow's database in one
transaction, ``starting`` does both around the records of the store, and ``routes`` is how it is asked for.
"""
