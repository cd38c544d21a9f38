"""Measurements of pxed beside the servers that people use today; `python -m benchmarks`.

docs/explanation/performance.md has the results.
"""
