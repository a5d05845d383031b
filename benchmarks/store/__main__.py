"""`python -m benchmarks.store`."""

from benchmarks.store.bench import main

if __name__ == "__main__":
    raise SystemExit(main())
