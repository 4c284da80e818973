# make demo and make test are all that a new machine needs: Python 3.11 or later with pip, and make.

PYTHON ?= python3
BUDGET ?= 60s
KILLS ?= 100
# Extra arguments for pytest, such as ARGS="-k recipe".
ARGS ?=
# Processes for the tests: one more than there are cores, since tests wait for commands that they start.
WORKERS ?= $(shell echo $$(( $$(nproc) + 1 )))

BIN := .venv/bin
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check
BENCH_PIP := .bench-venv/bin/python -m pip install -qq --disable-pip-version-check
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo "sudo -n")

.PHONY: help demo test check lint types format bench bench-search bench-samplers bench-images bench-quality defaults honesty search-scale faults repair kills coverage docs browser clean

help:
	@echo "make demo    install shoal and improve a network for a bundled data set"
	@echo "make test    install what developers need and run the tests"
	@echo "make check   what CI does: format, lint, types, tests with the README's examples, docs"
	@echo "make format  let ruff rewrite the sources"
	@echo "make bench   speed against PyTorch and scikit-learn, what each technique adds to a step, and import time"
	@echo "make bench-search  a search of 128 trials against Optuna with PyTorch, KerasTuner and scikit-learn (about half an hour)"
	@echo "make bench-samplers  regret of every sampler, with and without halving, replayed on kept results (about 20 minutes)"
	@echo "make bench-images  convolutional networks: speed against PyTorch, accuracy on real sets, effects of techniques (about 2 hours)"
	@echo "make bench-quality  error and log loss on ten tables beside recorded peers (about 15 minutes)"
	@echo "make defaults  what each setting is worth, one change at a time on seventeen tables (about an hour)"
	@echo "make honesty  searches on shuffled labels: is the reported score no better than chance? (about half an hour)"
	@echo "make search-scale  1,024 trials in one search: memory, and the time outside compiled programs"
	@echo "make faults  how often the diagnosis finds seeded faults on real tables, and cries wolf on sound runs (about an hour)"
	@echo "make repair  how much of what a fault costs the recipe loop wins back, beside random changes (about an hour)"
	@echo "make kills   a search killed 100 times, stopped and cut short, must resume to the same result (about 15 minutes)"
	@echo "make coverage  how often 95 % intervals hold the truth, in 1,000 simulations"
	@echo "make docs    build the documentation into site/"

demo: .venv/.plain
	$(BIN)/shoal improve example:breast-cancer --budget $(BUDGET)

test: .venv/.dev browser
	$(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

check: lint types test docs

lint: .venv/.dev
	$(BIN)/ruff format --check
	$(BIN)/ruff check

types: .venv/.dev
	$(BIN)/pyright

format: .venv/.dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: .venv/.dev
	$(BIN)/python benchmarks/import_time.py
	$(BIN)/python benchmarks/speed.py
	$(BIN)/python benchmarks/techniques.py

bench-search: .venv/.dev .bench-venv/.ready
	$(BIN)/python benchmarks/search.py

bench-samplers: .venv/.dev
	$(BIN)/python benchmarks/samplers.py

bench-images: .venv/.dev
	$(BIN)/python benchmarks/images.py

bench-quality: .venv/.dev .bench-venv/.ready
	$(BIN)/python benchmarks/quality.py

defaults: .venv/.dev
	$(BIN)/python benchmarks/defaults.py

honesty: .venv/.dev
	$(BIN)/python benchmarks/honesty.py

search-scale: .venv/.dev
	$(BIN)/python benchmarks/search_scale.py

faults: .venv/.dev
	$(BIN)/python benchmarks/faults.py --verbose

repair: .venv/.dev
	$(BIN)/python benchmarks/repair.py

kills: .venv/.dev
	SHOAL_KILLS=$(KILLS) SHOAL_KILLS_SEED=$$(date +%j) $(BIN)/pytest -s tests/cli/test_kills.py tests/cli/test_stop.py

coverage: .venv/.dev
	$(BIN)/python benchmarks/coverage.py

docs: .venv/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

clean:
	rm -rf .venv .bench-venv site dist build .pytest_cache .ruff_cache .hypothesis

# Debian's Python has no ensurepip of its own, so the machine's pip puts a pip into the environment; 25.1 is the first with --group.
.venv/.pip:
	$(PYTHON) -m venv --without-pip .venv
	$(PYTHON) -m pip --python $(BIN)/python install -qq --disable-pip-version-check "pip>=25.1"
	@touch $@

.venv/.plain: pyproject.toml | .venv/.pip
	$(PIP) --editable .
	@touch $@

# torch comes first and alone, so that nothing which depends on it chooses another build.
.venv/.dev: pyproject.toml | .venv/.pip
	$(PIP) torch==2.13.0
	$(PIP) --editable . --group dev
	@touch $@

# What the search is compared with has an environment of its own: KerasTuner is needed nowhere else.
.bench-venv/.ready: pyproject.toml
	$(PYTHON) -m venv --without-pip .bench-venv
	$(PYTHON) -m pip --python .bench-venv/bin/python install -qq --disable-pip-version-check "pip>=25.1"
	$(BENCH_PIP) torch==2.13.0
	$(BENCH_PIP) --group bench
	@touch $@

# The figures are drawn by the package itself.
.venv/.docs: pyproject.toml | .venv/.pip
	$(PIP) --editable . --group docs
	@touch $@

# The report is tested in a browser; without one those tests are skipped and say so.
browser:
	@command -v chromium >/dev/null && command -v chromedriver >/dev/null \
		|| { $(SUDO) apt-get update -qq && $(SUDO) apt-get install -y -qq --no-install-recommends chromium chromium-driver; } >/dev/null 2>&1 \
		|| echo "chromium and chromium-driver could not be installed: the browser tests will be skipped"
