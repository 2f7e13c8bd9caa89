# make quickstart   train the bundled model by self-play, then play the tournament that proves it
# make test         everything that CI runs
# Both set up .venv by themselves. With another Python: make quickstart PYTHON=python3.12
# Without CUDA packages on Linux: make quickstart PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu

RECENT := -c 'import sys; sys.exit(sys.version_info < (3, 11))'
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python $(RECENT) 2>/dev/null && { echo $$python; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: quickstart test check clean

quickstart: $(VENV)/.installed
	$(BIN)/spiral-arena quickstart

test: export OMP_NUM_THREADS = 1
test: check
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not gpu and not vllm"

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

clean:
	rm -rf build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

# A stamp is older than what it was made from once either file changes.
$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/pip
	$(PIP) -e .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(BIN)/pip
	$(PIP) -e '.[dev,serve,tensorboard,textarena]'
	@touch $@ $(VENV)/.installed

$(BIN)/pip:
	@test -n "$(PYTHON)" && $(PYTHON) $(RECENT) || \
		{ echo 'spiral-arena needs Python 3.11 or newer. Name one: make quickstart PYTHON=python3.12' >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
