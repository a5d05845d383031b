"""Benchmarks: each folder is one question, run by `python -m benchmarks.<folder>`, answered in its REPORT.md."""
