# Everything is installed into .venv, and nothing outside of this folder.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test test-quick bench lint format protos clean

demo: .venv/installed
	@$(BIN)/backcast demo

test: .venv/installed
	$(BIN)/pytest

# What needs no server and little processor time.
test-quick: .venv/installed
	$(BIN)/pytest -m "not servers and not slow"

bench: .venv/installed .venv/peers
	$(BIN)/python -m tests.bench
	$(BIN)/python -m tests.bench.load
	$(BIN)/python -m tests.bench.responsiveness
	$(BIN)/python -m tests.bench.candles
	$(BIN)/python -m tests.bench.engine

lint: .venv/installed build/googleapis/google/rpc/status.proto
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy services tests
	$(BIN)/lint-imports
	$(BIN)/buf lint
	$(BIN)/buf format --diff --exit-code protos
	$(BIN)/python protos/generate.py --check

format: .venv/installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/buf format --write protos

protos: .venv/installed
	$(BIN)/python protos/generate.py

# The package build makes the stubs too, so an installation is stale when a proto is newer.
.venv/installed: pyproject.toml constraints.txt $(wildcard protos/*.py) $(wildcard protos/backcast/*/v1/*.proto)
	@echo "installing into .venv: a minute or two, once"
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --upgrade pip==26.3
	@$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@# The engine's machine code is made now, and not three times at once when services start first.
	@$(BIN)/python -c 'import services.engine'
	@touch $@

# Where the other backtesters cannot be installed, the benchmark says so and measures the rest; the next
# `make bench` tries again.
.venv/peers: .venv/installed
	@echo "installing the backtesters that the engine is compared with: a minute, once"
	@if $(BIN)/pip install --quiet --constraint constraints.txt --editable '.[bench]'; then touch $@; \
	else echo "NOT INSTALLED, see above: make bench goes on without them"; fi

# buf reads it from here: it is in no commit, as it is not ours.
build/googleapis/google/rpc/status.proto: .venv/installed
	mkdir -p $(@D)
	cp "$$($(BIN)/python -c 'from google.rpc import status_pb2; print(status_pb2.__file__)' | sed s/_pb2.py/.proto/)" $@

clean:
	rm -rf .venv build services/stubs .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
