# Everything is installed into .venv, nothing outside of this folder.

PYTHON ?= python3
BIN := .venv/bin

PROTOS := $(wildcard protos/backcast/*/v1/*.proto)

# Google's protos that our protos import are not committed, because they are not ours.
GOOGLEAPIS := build/googleapis/google/rpc/status.proto

# What the web service serves. BACKCAST_WITHOUT_PAGE=1 does without.
PAGE_SOURCES := $(shell git ls-files page 2> /dev/null)
PAGE := $(if $(filter 1,$(BACKCAST_WITHOUT_PAGE)),,services/web/static/index.html)

# Tests start hundreds of processes, and each would compile our modules anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-quick bench lint breaking format page protos googleapis release clean

demo: .venv/installed $(PAGE)
	@$(BIN)/backcast demo

# A process for each core, each with servers of its own; `make test PROCESSES=0` runs all tests in one, in their order.
PROCESSES ?= auto

test: .venv/installed $(PAGE)
	$(BIN)/pytest --numprocesses $(PROCESSES) --maxprocesses 4 --dist loadfile

# The tests that need no server and little processor time.
test-quick: .venv/installed
	$(BIN)/pytest --numprocesses $(PROCESSES) --maxprocesses 4 --dist loadfile -m "not servers and not slow"

bench: .venv/installed .venv/peers $(PAGE)
	$(BIN)/python -m tests.bench
	$(BIN)/python -m tests.bench.cold_year
	$(BIN)/python -m tests.bench.load
	$(BIN)/python -m tests.bench.responsiveness
	$(BIN)/python -m tests.bench.page
	$(BIN)/python -m tests.bench.candles
	$(BIN)/python -m tests.bench.feed
	$(BIN)/python -m tests.bench.engine
	$(BIN)/python -m tests.bench.portfolio
	$(BIN)/python -m tests.bench.portfolio.gateway
	$(BIN)/python -m tests.bench.python_client

lint: .venv/installed $(GOOGLEAPIS) breaking
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy services tests page engine/src/backcast_engine clients/python/src/backcast
	$(BIN)/lint-imports
	$(BIN)/buf lint
	$(BIN)/buf format --diff --exit-code protos
	$(BIN)/python protos/generate.py --check
	$(BIN)/python page/build.py --check

# Clients of the last release keep working: nothing of its API is gone or different.
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

page: .venv/installed
	$(BIN)/python page/build.py

# The installation makes the page too; what changes in its sources later is built alone.
services/web/static/index.html: $(PROTOS) $(PAGE_SOURCES) | .venv/installed
	@echo "building the page"
	@$(BIN)/python page/build.py

# The build of the client makes the stubs, so an installation is stale when a proto is newer.
.venv/installed: pyproject.toml clients/python/pyproject.toml engine/pyproject.toml constraints.txt hatch_build.py $(wildcard protos/*.py) $(PROTOS)
	@echo "installing into .venv: a minute or two, once$(if $(PAGE),, and without the page)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --upgrade pip==26.3
	@$(BIN)/pip install --quiet --constraint constraints.txt --editable clients/python --editable engine --editable '.[dev]'
	@# Only its compiler is used, so that it asks for an older protobuf than the services have does not matter.
	@$(BIN)/pip install --quiet --constraint constraints.txt --no-deps grpcio-tools
	@# Compiles the engine now; otherwise all three services would compile it at their first start.
	@$(BIN)/python -c 'import backcast_engine.backtest, backcast_engine.portfolio'
	@touch $@

# Where the other backtesters cannot be installed, the benchmark says so and measures the rest; the next
# `make bench` tries again.
.venv/peers: .venv/installed
	@echo "installing the backtesters that the engine is compared with: a minute, once"
	@if $(BIN)/pip install --quiet --constraint constraints.txt --editable '.[bench]'; then touch $@; \
	else echo "NOT INSTALLED, see above: make bench goes on without them"; fi

# Clients in other languages need this target alone, and no .venv.
googleapis: $(GOOGLEAPIS)

# Saves the API of this version, in place of the one before: protos/released/README.md has all steps of a release.
release: .venv/installed $(GOOGLEAPIS)
	@version=$$($(BIN)/python protos/release.py) && \
	$(BIN)/buf build protos --exclude-source-info --output build/released.binpb.gz && \
	rm -f protos/released/*.binpb.gz && \
	mv build/released.binpb.gz "protos/released/$$version.binpb.gz" && echo "protos/released/$$version.binpb.gz"

$(GOOGLEAPIS): constraints.txt
	@python=$(PYTHON); if [ -x $(BIN)/python ]; then python=$(BIN)/python; fi; \
	$$python -m pip install --quiet --root-user-action ignore --no-deps --no-compile --upgrade \
		--constraint constraints.txt --target build/googleapis-package googleapis-common-protos
	@mkdir -p $(@D)
	@cp build/googleapis-package/google/rpc/status.proto build/googleapis-package/google/rpc/error_details.proto $(@D)
	@touch $@

clean:
	rm -rf .venv build $(addprefix clients/python/src/,$(patsubst protos/%/v1/,%,$(sort $(dir $(PROTOS))))) services/web/static page/node_modules page/src/api/stubs .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
