"""Small tools for the code of steps: maps over processes, timing."""
