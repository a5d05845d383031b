"""`python -m benchmarks.dashboard`."""

from benchmarks.dashboard.bench import main

if __name__ == "__main__":
    raise SystemExit(main())
