"""Sensors that wait for runs of flows and for artifacts, in the triggerer where they are deferrable."""
