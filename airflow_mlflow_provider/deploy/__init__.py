"""Putting flows into an Airflow that runs elsewhere, and talking to it: files, deployment records, the REST API.

This room writes files and speaks HTTP; it imports no Airflow, so a laptop needs none to deploy.
"""
