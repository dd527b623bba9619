# Two commands on a fresh machine: make demo, make test. QUICK=1 shortens the demo; TORCH is what pip is asked for, so
# that another build of torch can be had, e.g. one without CUDA libraries.
VENV ?= .venv
PYTHON ?= python3
TORCH ?= torch
BIN := $(VENV)/bin

.PHONY: demo test check format clean
.DEFAULT_GOAL := help

help:
	@echo "make demo    install, paint data, train, evaluate, predict, write the report (QUICK=1: in a minute)"
	@echo "make test    install what is missing, run all tests"
	@echo "make check   format, lint, types, fast tests: before each commit"
	@echo "make format  put the code into shape"
	@echo "make clean   remove the virtual environment and what the demo made"

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet $(TORCH)
	$(BIN)/pip install --quiet --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/pip install --quiet --editable ".[dev]"
	@touch $@

demo: $(VENV)/.installed
	$(BIN)/maskwright demo $(if $(QUICK),--quick)

# One thread of arithmetic a process: two processes on two cores would only get in each other's way.
test: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n auto --dist worksteal

check: $(VENV)/.installed-dev
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/mypy
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n auto --dist worksteal -m "not slow" -x

format: $(VENV)/.installed-dev
	$(BIN)/ruff format src tests benchmarks
	$(BIN)/ruff check --fix src tests benchmarks

clean:
	rm -rf $(VENV) data/samples runs
