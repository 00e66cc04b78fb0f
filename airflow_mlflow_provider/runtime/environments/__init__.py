"""Environments of steps: their packages are resolved once to a lock, and built from it where the step runs, by uv."""
