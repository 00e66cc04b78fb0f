"""The benchmarks of BENCHMARKS.md: `python -m tests.bench [B1 …]`, or `make bench`."""
