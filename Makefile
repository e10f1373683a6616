# Commands of this project. `make help` lists them.
# `make demo` and `make test` need Python 3.11, make and a package index, and nothing else.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip --disable-pip-version-check install --quiet --no-deps
WORKERS ?= 2
DEMO_ARGS ?=
SOAK_SEED ?= 1
SOAK_KILLS ?= 200
SOAK_SECONDS ?= 600
FUZZ_COUNT ?= 1000000
FUZZ_SECONDS ?= 30

.PHONY: help demo test setup ci-deps cometbft check format lint types contracts arch golden lock bench fuzz soak clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

# The interpreter is looked for once: PYTHON=... if given, else the first of these that is a 3.11.
$(BIN)/python:
	@for candidate in $(PYTHON) python3.11 python3 python; do \
	  if "$$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then \
	    echo "creating $(VENV) with $$candidate"; "$$candidate" -m venv $(VENV) && exit 0; \
	    echo "Could not create $(VENV): install the venv module of Python 3.11 (Debian: python3.11-venv)." >&2; \
	    rm -rf $(VENV); exit 1; \
	  fi; \
	done; \
	echo "Python 3.11 was not found. Install it, or name it: make PYTHON=/path/to/python3.11" >&2; exit 1

# Stamps: what is installed stays installed until a lock or the package's metadata changes.
$(VENV)/.demo: requirements/demo.txt | $(BIN)/python
	@echo "installing the locked packages of the demo"
	@$(PIP_INSTALL) --require-hashes -r requirements/demo.txt
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.demo
	@echo "installing the locked development tools"
	@$(PIP_INSTALL) --require-hashes -r requirements/dev.txt
	@touch $@

$(VENV)/.package: pyproject.toml $(VENV)/.demo
	@$(PIP_INSTALL) --no-build-isolation --no-index --editable .
	@touch $@

demo: $(VENV)/.package ## play the whole scene with three nodes (DEMO_ARGS="--people 200 --seed 7")
	@$(BIN)/lianzheng demo $(DEMO_ARGS)

test: $(VENV)/.dev $(VENV)/.package ## run all tests
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -q

setup: $(VENV)/.dev $(VENV)/.package ## install the development tools

ci-deps: setup ## install what only CI needs: a browser for tests/browser, SoftHSM, the consensus engine where Go is
	@command -v chromium >/dev/null || { apt-get update -qq && apt-get install -y -qq chromium >/dev/null; }
	@command -v softhsm2-util >/dev/null || { apt-get update -qq && apt-get install -y -qq softhsm2 >/dev/null; }
	@if command -v go >/dev/null; then $(MAKE) --no-print-directory cometbft; fi

# The consensus engine, built from its released source. Needs Go 1.22; neither demo nor tests need the engine.
COMETBFT_VERSION := v0.38.25
cometbft: .tools/cometbft-$(COMETBFT_VERSION) ## build the consensus engine into .tools (needs Go)

.tools/cometbft-$(COMETBFT_VERSION):
	@command -v go >/dev/null || { echo "Go 1.22 or newer was not found: install it, then run make cometbft again." >&2; exit 1; }
	@mkdir -p .tools
	@GOBIN="$(CURDIR)/.tools" CGO_ENABLED=0 go install github.com/cometbft/cometbft/cmd/cometbft@$(COMETBFT_VERSION)
	@rm -f .tools/cometbft-v*
	@ln -s cometbft $@

check: setup lint types contracts arch covered ## everything that CI runs

# The tests once, measured where the floor of 90 % holds: what proofs, keys, consent and evidence rest on.
FLOOR := ledger zk identity consent evidence verify
covered: $(VENV)/.dev $(VENV)/.package
	@SIMULATION_SECONDS=60 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -q $(FLOOR:%=--cov=lianzheng.%) --cov-branch \
	  --cov-report= --cov-report=json:.coverage.json
	@$(BIN)/python tools/coverage_floor.py .coverage.json

format: setup ## rewrite the code in the one format
	@$(BIN)/ruff format src tests tools benchmarks
	@$(BIN)/ruff check --fix-only --quiet src tests tools benchmarks

lint: setup
	@$(BIN)/ruff format --check src tests tools benchmarks
	@$(BIN)/ruff check src tests tools benchmarks

types: setup
	@$(BIN)/mypy

contracts: setup
	@$(BIN)/lint-imports --no-cache

arch: setup
	@$(BIN)/python -m pytest -q tests/arch

golden: setup ## regenerate the generated documents
	@$(BIN)/python tools/reason_codes.py
	@$(BIN)/python tools/openapi.py
	@$(BIN)/python tools/cli_help.py

lock: setup ## resolve the dependencies anew and write both locks
	@$(BIN)/python tools/lock.py

bench: setup ## run the benchmarks and write docs/benchmarks.md
	@$(BIN)/python -m benchmarks

fuzz: $(VENV)/.dev $(VENV)/.package ## fuzz each decoder for FUZZ_SECONDS, verify FUZZ_COUNT mutated bundles and tokens; fails when one is accepted
	@PYTHONPATH=src:tests:. $(BIN)/python -m fuzz.run --seed $(SOAK_SEED) --seconds $(FUZZ_SECONDS)
	@PYTHONPATH=src:tests:. $(BIN)/python -m fuzz.soak --seed $(SOAK_SEED) --count $(FUZZ_COUNT)

soak: fuzz ## fuzz, simulate for SOAK_SECONDS, then kill nodes at SOAK_KILLS seeded moments from SOAK_SEED on; prints failing seeds
	@PYTHONPATH=src:tests:. $(BIN)/python -m simulation.soak --seed $(SOAK_SEED) --seconds $(SOAK_SECONDS)
	@PYTHONPATH=src:tests:. $(BIN)/python -m fault.soak --seed $(SOAK_SEED) --kills $(SOAK_KILLS)
	@PYTHONPATH=src:tests:. $(BIN)/python -m fault.comet.soak --seed $(SOAK_SEED) --kills $(SOAK_KILLS)

clean: ## remove the environment, caches and what the demo wrote
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage .coverage.json .import_linter_cache demo-out build dist src/*.egg-info
	find src tests tools benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
