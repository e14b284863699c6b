# `make` alone lists the targets. MODELYARD_HOME (./var), MODELYARD_PORT (8000) and PYTHON may be set.
.DEFAULT_GOAL := help
SHELL := /bin/sh
CALLERS_PATH := $(PATH)
export PATH := $(CURDIR)/.venv/bin:$(PATH)
RUN := .venv/installed-run
DEV := .venv/installed-dev
WORKERS ?= 3
# They are handed out as they are collected, the long ones first; `tests/conftest.py` says which go together.
SPREAD := -n $(WORKERS) --no-loadscope-reorder
# Of `make chaos`: scenarios and options, as in CHAOS='killed --servers --seed 7'.
CHAOS ?=
# The tests start some hundred processes: each would compile every package anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: $(RUN) ## start Modelyard; on a fresh machine, install it first and train a demo model
	@PATH="$(CALLERS_PATH)" exec .venv/bin/modelyard up

.PHONY: test
test: $(DEV) servers lint ## every check and every test, on SQLite and on PostgreSQL
	pytest $(SPREAD) tests
	pytest $(SPREAD) --database postgresql tests

.PHONY: unit
unit: $(DEV) ## only the tests that need no server
	pytest $(SPREAD) tests/unit

.PHONY: servers
servers: $(DEV) ## install the servers that the tests start (Debian packages)
	@python -m tests.servers.programs

.PHONY: lint
lint: $(DEV) ## style, types and the directions of imports
	ruff check .
	ruff format --check .
	mypy
	lint-imports

.PHONY: format
format: $(DEV) ## put the code into the one format
	ruff check --fix .
	ruff format .

.PHONY: bench
bench: $(DEV) servers ## serving speed beside its peers, how soon a job runs beside a bare Celery task, and how soon `up` answers
	python -m benchmarks.serving
	python -m benchmarks.submitting
	python -m benchmarks.starting

.PHONY: bench-scoring
bench-scoring: $(DEV) servers ## scoring speed beside a bare loop of pyarrow and onnxruntime; ROWS=1000000 for fewer
	python -m benchmarks.scoring $(if $(ROWS),--rows $(ROWS))

.PHONY: chaos
chaos: $(DEV) servers ## kill, freeze and empty workers, broker and database while jobs run; takes most of an hour
	python -m tests.chaos $(CHAOS)

.PHONY: docs
docs: $(DEV) ## write the pages that come from tables
	python docs/generate.py

.PHONY: lock
lock: $(DEV) ## find the newest releases and write both locks
	uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header pyproject.toml \
		--extra sklearn --group build --output-file requirements/run.txt
	uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header pyproject.toml \
		--extra sklearn --extra lightgbm --extra xgboost --group build --group test --group lint --constraint requirements/run.txt --output-file requirements/dev.txt

.PHONY: audit
audit: $(DEV) ## ask the advisory service about every locked package (needs the network)
	pip-audit --strict --require-hashes --disable-pip --requirement requirements/dev.txt

.PHONY: clean
clean: ## remove what was installed and built; models and data in ./var stay
	rm -rf .venv dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .bench
	find . -name __pycache__ -type d -not -path './var/*' -prune -exec rm -rf {} +

$(RUN): requirements/run.txt pyproject.toml
	@requirements/install run
	@touch $(RUN)

$(DEV): requirements/dev.txt pyproject.toml
	@requirements/install dev
	@touch $(RUN) $(DEV)
