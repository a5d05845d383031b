# Every target sets up what it needs; `make demo` and `make test` work in a fresh clone with Python 3.11+, git and make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
JOBS ?= 2
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo test test-fast lint format types contracts docs templates bench bench-faults bench-others clean
.DEFAULT_GOAL := help

help:
	@echo "make demo       run the recipe on scikit-learn's digits, on the CPU"
	@echo "make test       everything CI runs: lint, types, import contracts, all tests, docs"
	@echo "make test-fast  what to run every few minutes: lint and the quick tests"
	@echo "make lint       ruff, pyright and the import contracts"
	@echo "make docs       the documentation, executed, into docs/_build/html"
	@echo "make templates  every template from a built wheel, to the end of its recipe; it takes ten minutes"
	@echo "make bench      the benchmarks, into benchmarks/*/REPORT.md"
	@echo "make bench-faults  every case of the fault benchmark over three seeds; it takes more than an hour"
	@echo "make bench-others  the same cases before torch-audit, torcheck, torchtest2, trainproof and Lightning's warnings"

# torch is asked for first and by itself, so that nothing that depends on it chooses another build.
$(VENV)/.runtime: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "ART needs Python 3.11 or later, this is " + sys.version.split()[0] + "; set PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet torch==2.13.0
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

demo: $(VENV)/.runtime
	$(BIN)/art demo

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test: lint docs
	$(BIN)/pytest -n $(JOBS) --dist worksteal

test-fast: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/pytest -n $(JOBS) --dist worksteal -m "not slow" -q

docs: $(VENV)/.dev
	$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html

templates: $(VENV)/.dev
	ART_TEST_TEMPLATES=whole $(BIN)/pytest -n $(JOBS) --dist worksteal tests/templates/test_from_the_wheel.py

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks.store
	$(BIN)/python -m benchmarks.dashboard
	$(BIN)/python -m benchmarks.startup
	$(BIN)/python -m benchmarks.overhead
	$(BIN)/python -m benchmarks.explore
	$(BIN)/python -m benchmarks.tune
	$(BIN)/python -m benchmarks.statistics
	$(BIN)/python -m benchmarks.diagnosis

bench-faults: $(VENV)/.dev
	$(BIN)/python -m benchmarks.faults --jobs $(JOBS)

# Without what they depend on: one of them asks for a torch before 2.0.
bench-others: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --no-deps --target $(VENV)/others -r benchmarks/faults/others/requirements.txt
	$(BIN)/python -m benchmarks.faults.others --site $(VENV)/others --jobs $(JOBS)

clean:
	rm -rf $(VENV) docs/_build docs/jupyter_execute dist .pytest_cache .ruff_cache .hypothesis
