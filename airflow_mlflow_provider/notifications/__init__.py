"""Notifiers for runs of flows that have ended."""
