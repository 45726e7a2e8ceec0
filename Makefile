# Holdfast. Only python3 (with venv and pip), make and git are needed; everything else is installed into this folder.
.DEFAULT_GOAL := help
.PHONY: help up down test check chaos bench docs format lock clean

PYTHON ?= python3
UV := .tools/bin/uv
BIN := .venv/bin
BENCH ?= supervision statefile hub
EXAMPLE := examples/memory-daemons/holdfast.toml

help: ## Print this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: .venv/.installed ## Start the eight example daemons and keep them alive
	@$(BIN)/holdfast up -c $(EXAMPLE)

down: .venv/.installed ## Stop everything in the default state folder, or in HOLDFAST_HOME
	@$(BIN)/holdfast down

test: .venv/.installed ## Run all tests; as root it installs the Debian packages they use
	@bash .ci/packages
	@$(BIN)/python -m pytest -q $(ARGS)

check: .venv/.installed ## Lint, types on three platforms, import layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/mypy --platform darwin
	@$(BIN)/mypy --platform win32
	@$(BIN)/lint-imports --no-logo

chaos: .venv/.installed ## Kill supervisor, watchdog and services a thousand times, and see that nothing is lost
	@HOLDFAST_KILLS=$${HOLDFAST_KILLS:-1000} HOLDFAST_CRASH_LOOPS=$${HOLDFAST_CRASH_LOOPS:-1000} \
	  $(BIN)/python -m pytest -q -n 0 -s --timeout 3600 tests/real/test_kill_campaign.py tests/real/test_acceptance.py $(ARGS)

bench: .venv/.installed ## Measure Holdfast beside its peers; prints tables (BENCH=statefile: only that one)
	@set -e; for one in $(BENCH); do $(BIN)/python benchmarks/$$one.py $(ARGS); done

docs: .venv/.installed ## Write the reference pages from the code
	@$(BIN)/python docs/generate.py

format: .venv/.installed ## Format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lock: $(UV) ## Pin the newest versions that pass
	@$(UV) pip compile --quiet --universal --no-header --no-annotate --no-emit-index-url --no-emit-find-links --upgrade \
	  --group dev pyproject.toml -o constraints.txt

clean: ## Remove what was installed and built here
	@rm -rf .venv .tools .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist

$(UV):
	@echo "Preparing tools (once) ..."
	@$(PYTHON) -m venv .tools
	@.tools/bin/pip install --quiet --disable-pip-version-check uv

.venv/.installed: pyproject.toml constraints.txt $(UV)
	@echo "Installing Holdfast into .venv (once) ..."
	@$(UV) venv --quiet --allow-existing --python $(PYTHON) .venv
	@$(UV) pip install --quiet --python $(BIN)/python --constraint constraints.txt --compile-bytecode --editable . --group dev
	@touch $@
