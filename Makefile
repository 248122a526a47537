# make demo   real galaxies, degraded and restored: a figure and a table (under demo/)
# make test   the test suite
# make check  style, types and the direction of imports
# make docs   the site, from docs/ to docs/_build/html; a warning or a broken link inside it is an error

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: demo test check docs clean

demo: $(VENV)/.run
	$(BIN)/pellucid demo --output demo

# A process a core, each on one thread: several threads a process only get into each other's way. The long
# files stand in the middle, so that no process has one left when the others are done. Hundreds of processes
# start: without bytecode each would compile the package again.
test: $(VENV)/.dev
	PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n logical --dist loadfile --no-loadscope-reorder

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

docs: $(VENV)/.dev
	$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html
	@echo docs/_build/html/index.html

# The locks are complete, so nothing else is resolved or fetched. The pinned torch is the CPU build; where
# the package index has only the CUDA one: make test TORCH_INDEX=https://download.pytorch.org/whl/cpu
$(VENV)/.run: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "pellucid needs Python 3.11 or later; name one: make PYTHON=python3.12" >&2; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) --no-deps -r requirements.lock
	$(PIP) --no-deps -e .
	touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.lock
	$(PIP) --no-deps $(TORCH_INDEX:%=--extra-index-url %) -r requirements-dev.lock
	touch $@

clean:
	rm -rf $(VENV) demo docs/_build
