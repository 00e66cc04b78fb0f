"""The linter: every rule about flows, and one way to run them all."""
