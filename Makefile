# Everything is installed into .venv, and nothing outside of this folder.

PYTHON ?= python3
BIN := .venv/bin

# Google's protos that ours import are in no commit, as they are not ours.
GOOGLEAPIS := build/googleapis/google/rpc/status.proto

.PHONY: demo test bench lint breaking format protos googleapis release clean

demo: .venv/installed
	@$(BIN)/backcast demo

test: .venv/installed
	$(BIN)/pytest

bench: .venv/installed .venv/peers
	$(BIN)/python -m tests.bench
	$(BIN)/python -m tests.bench.load
	$(BIN)/python -m tests.bench.candles
	$(BIN)/python -m tests.bench.engine

lint: .venv/installed $(GOOGLEAPIS) breaking
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy services
	$(BIN)/lint-imports
	$(BIN)/buf lint
	$(BIN)/buf format --diff --exit-code protos
	$(BIN)/python protos/generate.py --check

# Clients keep working: what the last release had is still there. protos/released/README.md says how it is kept.
breaking: .venv/installed $(GOOGLEAPIS)
	@released=$$(ls protos/released/*.binpb.gz 2> /dev/null); \
	if [ -z "$$released" ]; then echo "no release yet: there is no API that a change could break"; \
	else echo "buf breaking: against $$released"; $(BIN)/buf breaking protos --against "$$released"; fi

format: .venv/installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/buf format --write protos

protos: .venv/installed
	$(BIN)/python protos/generate.py

# Needs nothing else of the project: who makes a client in another language needs no .venv.
googleapis: $(GOOGLEAPIS)

# Keeps the API of this version, in place of the one before.
release: .venv/installed $(GOOGLEAPIS)
	@version=$$($(BIN)/python protos/release.py) && rm -f protos/released/*.binpb.gz && \
	$(BIN)/buf build protos --exclude-source-info --output "protos/released/$$version.binpb.gz"

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

$(GOOGLEAPIS): constraints.txt
	@$(PYTHON) -m pip install --quiet --root-user-action ignore --no-deps --no-compile --upgrade \
		--constraint constraints.txt --target build/googleapis-package googleapis-common-protos
	@mkdir -p $(@D)
	@cp build/googleapis-package/google/rpc/status.proto build/googleapis-package/google/rpc/error_details.proto $(@D)
	@touch $@

clean:
	rm -rf .venv build services/stubs .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
