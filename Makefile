# The same words for people and for CI. Needs make and Python 3.11 or newer; no root, no services, no Docker.

.DEFAULT_GOAL := help
SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

# The first Python that is new enough; `make PYTHON=/path/to/python …` names one.
PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3 python; do \
	$$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$python && break; done)

.PHONY: help demo test bench lint lock clean

help:  ## what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.runs  ## the whole pipeline against sandbox peers; ARGS="--orders 200 --exit --json", ARGS=--help
	@exec $(BIN)/python -m sync.local.demo $(ARGS)

test: $(VENV)/.develops  ## all tests; ARGS="tests/unit -x" narrows them
	@exec $(BIN)/python -m pytest $(or $(ARGS),--numprocesses 3)

bench: $(VENV)/.develops  ## measure, and print JSON lines
	@exec $(BIN)/python -m bench $(ARGS)

lint: $(VENV)/.develops  ## ruff, mypy --strict, import-linter
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

lock: $(VENV)/.locks  ## write the lock files anew from pyproject.toml
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --upgrade \
		--extra embedded pyproject.toml -o requirements.lock
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --upgrade \
		--extra embedded --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock

clean:  ## remove the environment, caches and what demos left
	@rm -rf $(VENV) build var/demo-* *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Each stamp stands for a finished installation. Whatever is said on the way goes to standard error, so that
# `make demo ARGS=--json` prints its one line alone.

$(VENV)/.made:
	@test -n "$(PYTHON)" || { echo "ecsync needs Python 3.11 or newer with its venv module, and found none. Install" \
		"it (Debian, Ubuntu: python3 python3-venv) or name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "$(PYTHON) is older than Python 3.11 or does not run; name another: make PYTHON=…" >&2; exit 1; }
	@echo "Making $(VENV) with $$($(PYTHON) --version)" >&2
	@$(PYTHON) -m venv $(VENV) >&2
	@touch $@

$(VENV)/.develops: requirements-dev.lock pyproject.toml | $(VENV)/.made
	@echo "Installing what the tests need" >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . >&2
	@touch $@ $(VENV)/.runs

$(VENV)/.runs: requirements.lock pyproject.toml | $(VENV)/.made
	@echo "Installing the pinned packages (once; a minute or so)" >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . >&2
	@touch $@

$(VENV)/.locks: | $(VENV)/.made
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv >&2
	@touch $@
