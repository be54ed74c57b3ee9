# The only task runner: `make help`. Every target that needs Python first brings the environment up to the lock
# file: .tool (a venv that holds only uv) -> .tool/bin/uv sync -> .venv.

PYTHON ?= python3
UV_VERSION := 0.13.8
UV := .tool/bin/uv
RUN := .venv/bin/
SHIPPING := .tool/shipping/bin/
# The dashboard's tools; where they cannot be had that is said and passed over, but not in CI.
WEB := .tool/bin/python scripts/web.py $(if $(filter true,$(CI)),,--skip)

# The whole suite on two cores: files side by side, each in one process with servers of its own. Three, because they wait a
# third of the time.
WHOLE_SUITE := --numprocesses=3 --dist=loadfile --no-loadscope-reorder --durations=25

# The certificates of this machine, whatever a network that looks into connections adds to them.
export UV_SYSTEM_CERTS := true
export NODE_USE_SYSTEM_CA := 1
export UV_PYTHON_DOWNLOADS := never
# The environment is built on the interpreter that runs make's bootstrap, whatever else is installed.
export UV_PYTHON := $(CURDIR)/.tool/bin/python
export UV_PROJECT_ENVIRONMENT := $(CURDIR)/.venv
# An environment that happens to be active, and an index that happens to be configured, are not ours.
unexport VIRTUAL_ENV UV_DEFAULT_INDEX UV_INDEX
# Every pipeline is a process of its own: without bytecode on disk each would compile all it imports.
unexport PYTHONDONTWRITEBYTECODE

# Whatever there is to do, it is done below this folder.
ifneq ($(filter-out help,$(MAKECMDGOALS)),)
  ifneq ($(shell test -w . && echo yes),yes)
    $(error $(CURDIR) cannot be written to; copy it to where it can, and type make there)
  endif
endif

.DEFAULT_GOAL := help
.PHONY: help sync up servers bundle wheel test lint types bench chaos e2e docs shipping clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

up: export ROSETTA_STARTED_AT := $(shell date +%s)
up: $(UV) ## Start the whole platform with sample data; Ctrl-C stops it and keeps the data
	@$(WEB) bundle & $(UV) sync --quiet --locked --all-packages && wait
	@$(RUN)rosetta up $(ARGS)

servers: sync ## Start the servers of docker-compose.yml without Docker; Ctrl-C stops them and keeps the data
	@$(RUN)python -m scripts.servers

bundle: $(UV) ## Build the dashboard into web/dist, when its sources changed
	@$(WEB) bundle

wheel: $(UV) bundle ## Build the wheel of a release, dashboard included, into dist/ (ACCELERATED=1: this platform's, too)
	@$(UV) build --quiet --wheel --out-dir dist release
	$(if $(ACCELERATED),@$(UV) sync --quiet --locked --all-packages && $(RUN)python -m scripts.platform_wheel dist)

test: sync $(if $(ARGS),,test-web) ## Run every test lane that needs no Docker (one: make test ARGS=path)
	$(RUN)pytest $(or $(ARGS),$(WHOLE_SUITE) -m 'not alone')
	$(if $(ARGS),,$(RUN)pytest -m alone $(shell grep -rlw --include='test_*.py' 'mark\.alone' backend compute rosetta tests))

# Both write the dashboard's generated files, so that one of them follows the other.
test-web: $(UV) $(if $(filter lint,$(MAKECMDGOALS)),lint-web)
	$(WEB) run test

# In parts, so that `make --jobs` has them beside one another.
lint: lint-python lint-shipping lint-web ## Style, imports, sizes, package indexes; workflows, images and manifests

lint-python: sync
	$(RUN)ruff check
	$(RUN)ruff format --check
	$(RUN)lint-imports
	$(RUN)python scripts/check_sizes.py
	$(RUN)python scripts/check_indexes.py

lint-shipping: shipping
	$(SHIPPING)hadolint Dockerfile
	$(SHIPPING)check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml
	$(SHIPPING)check-jsonschema --builtin-schema vendor.github-workflows $(wildcard .github/workflows/*.yml)
	$(SHIPPING)check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	$(SHIPPING)zizmor --offline --quiet .github
	$(SHIPPING)kubernetes-validate --strict --quiet $(filter-out %/kustomization.yaml,$(wildcard deploy/kubernetes/*.yaml))

lint-web: $(UV)
	$(WEB) run lint

types: sync ## Check types, strictly
	$(RUN)mypy rosetta backend compute release scripts conftest.py $(wildcard tests)

bench: sync ## Measure throughput beside native replication; writes .reports/bench.json
	$(RUN)python -m compute.bench $(ARGS)

chaos: sync ## Inject the fault matrix and the planted bugs; writes .reports/chaos.json
	$(RUN)python -m compute.tests.chaos $(ARGS)

e2e: sync bundle ## The dashboard in Debian's Chromium: story, pictures, accessibility, size and speed into .reports/
	$(WEB) run size
	E2E_FULL=1 $(WEB) run e2e $(ARGS)

docs: sync ## Check the links and commands of the documents, and run their code (one: make docs ARGS=README.md)
	$(RUN)python scripts/check_docs.py
	$(RUN)python -m scripts.run_docs $(ARGS)

clean: ## Remove the stack's data, reports, caches and environments
	@$(PYTHON) scripts/clean.py

sync: $(UV)
	@$(UV) sync --quiet --locked --all-packages

# What reads workflows, images and manifests is large, so it has an environment of its own.
shipping: export UV_PROJECT_ENVIRONMENT := $(CURDIR)/.tool/shipping
shipping: $(UV)
	@$(UV) sync --quiet --locked --only-group shipping

# uv is the last thing to appear, so an interrupted bootstrap starts afresh.
$(UV): Makefile
	@command -v $(PYTHON) >/dev/null || { echo "There is no $(PYTHON); install Python 3.11 or newer, or name one with PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Rosetta needs Python 3.11 or newer; name one with PYTHON=...")'
	@echo "Preparing .tool with uv $(UV_VERSION)"
	@$(PYTHON) -m venv --clear .tool
	@.tool/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@touch $(UV)
