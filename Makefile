# Every target works in .venv and leaves the system's Python alone. uv fills .venv when it is on
# PATH; else python3 and pip do, from the same lock and with the same hashes. The targets that run
# tests give ARGS to pytest: make test ARGS="-k watermark --durations=20".

PYTHON ?= python3
# Whatever hangs, the tests end, and nothing of them keeps running.
BOUNDED := .ci/bounded 1500
PYTEST = $(BOUNDED) $(BIN)/pytest -n auto --dist worksteal

BIN := .venv/bin
HAVE_UV := $(shell command -v uv 2>/dev/null)
UV := $(or $(HAVE_UV),$(BIN)/uv)
PIP_INSTALL := install --quiet --disable-pip-version-check
WRONG_PYTHON := "Python 3.11 to 3.14 is needed; name one: make PYTHON=python3.12 ..."
# What needs no other extra than the sandbox.
OF_THE_CORE := tests/cli tests/faults tests/proof tests/test_contract.py tests/test_incremental.py \
	tests/test_vanishing.py
AIRFLOW_PYTEST := $(BOUNDED) .venv-airflow/bin/pytest -W default --confcutdir tests/airflow tests/airflow
DBT_PYTEST := $(BOUNDED) .venv-dbt/bin/pytest -n 2 --dist loadfile -W default --confcutdir tests/dbt tests/dbt
EXPORT := $(UV) export --quiet --frozen --no-emit-project --no-annotate --no-header

export RUNTIME__DLTHUB_TELEMETRY := false

.DEFAULT_GOAL := help
# Where the servers of `make servers-start` are, for the tests.
-include .servers.env

.PHONY: help demo setup test test-slow lint format types bench days proof notebooks wheel dist \
	audit lock servers-start servers-stop test-lowest test-newest test-airflow test-airflow-heavy \
	dbt-models test-dbt clean

help: ## List the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

demo: $(if $(wildcard .venv/.dev),.venv/.dev,.venv/.demo) ## Load a sandbox inbox into DuckDB; no key needed
	$(BIN)/python -m pipelines.demo

setup: .venv/.dev ## Install the package and everything its development needs

test: lint types ## Lint, check types, run the fast tests
	$(PYTEST) -m "not slow" $(ARGS)

test-slow: setup ## Run the long tests
	$(PYTEST) -m slow $(ARGS)

lint: setup ## Check style, format, who imports whom, and the workflows
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports --no-logo --no-cache
	$(BIN)/zizmor --quiet --offline --no-progress .github pipelines/github-actions/*.yml

format: setup ## Mend style and format
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

types: setup ## Check types
	$(BIN)/mypy

bench: setup ## Measure speed and memory
	$(BIN)/python benchmarks/run.py

days: setup ## Play days in an inbox: how soon a change is known, for how many requests
	$(BIN)/python -m benchmarks.days $(ARGS)

proof: setup ## Try to make it lose, double or invent a chat; SECONDS=60 for a part, SEED=, REPLAY=
	.ci/bounded $(if $(SECONDS),$$(($(SECONDS) + 60)),600) $(BIN)/python -m tests.proof.run $(if $(SECONDS),--seconds $(SECONDS)) \
		$(if $(SEED),--seed $(SEED)) $(if $(REPLAY),--replay '$(REPLAY)')

notebooks: setup ## Run the notebooks and refresh their outputs
	$(BIN)/python notebooks/refresh.py $(ARGS)

wheel: setup ## Build the wheel, install it into an empty environment, run it
	.ci/check-wheel $(BIN)/python

dist: setup ## Build what a release consists of; TAG=v1.2.3 says if it may be one
	$(BIN)/python .ci/release $(TAG)

audit: setup ## Check the lock, its hashes, and what is installed
	$(UV) lock --check
	$(UV) pip check --python .venv
	$(BIN)/python .ci/audit requirements/dev.lock

lock: setup ## Write the lock and what is exported from it
	$(UV) lock
	$(EXPORT) --all-extras -o requirements/dev.lock
	$(EXPORT) --no-dev --group backend --extra sandbox -o requirements/demo.lock
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
		--no-header --extra sandbox pyproject.toml requirements/airflow.in -o requirements/airflow.lock
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
		--no-header --extra sandbox pyproject.toml requirements/dbt.in -o requirements/dbt.lock

servers-start: ## Start PostgreSQL and MariaDB on loopback for the tests
	.ci/servers-local start

servers-stop: ## Stop them and delete their data
	.ci/servers-local stop

test-lowest: setup ## Run the tests of the core on the lowest versions allowed
	$(UV) venv --quiet --allow-existing --python $(BIN)/python .venv-lowest
	$(UV) pip install --quiet --python .venv-lowest --resolution lowest-direct --upgrade \
		--group harness -e '.[sandbox]'
	$(BOUNDED) .venv-lowest/bin/pytest -n auto -W default $(or $(ARGS),$(OF_THE_CORE))

test-newest: setup ## Run the fast tests on the newest dlt, duckdb, sqlglot, pyarrow; may fail
	UV_PROJECT_ENVIRONMENT=.venv-newest $(UV) sync --quiet --frozen --all-extras
	$(UV) pip install --quiet --python .venv-newest --no-deps --upgrade dlt duckdb sqlglot pyarrow
	$(BOUNDED) .venv-newest/bin/pytest -W default -m "not slow" $(ARGS)

test-airflow: .venv-airflow/.airflow ## Run the DAGs in an environment of their own
	$(AIRFLOW_PYTEST) -m "not slow" $(ARGS)

test-airflow-heavy: .venv-airflow/.airflow ## Run them under a scheduler, LocalExecutor and Celery
	.ci/airflow-heavy $(AIRFLOW_PYTEST) $(ARGS)

dbt-models: setup ## Write the dbt project's models and sources anew
	$(BIN)/python dbt/generate.py

test-dbt: .venv-dbt/.dbt ## Build the dbt project and run the Dagster example, in an environment of their own
	$(DBT_PYTEST) $(ARGS)

clean: ## Remove the environments, caches and builds
	rm -rf .venv .venv-* .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist

# $(call fill,environment,lock in requirements/,what uv sync selects to get the same)
define fill
	$(if $(HAVE_UV),UV_PROJECT_ENVIRONMENT=$(1) uv sync --quiet --frozen --compile-bytecode $(3),$(call fill_with_pip,$(1),$(2)))
endef
define fill_with_pip
$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15) and $(WRONG_PYTHON))'
	$(PYTHON) -m venv $(1)
	$(1)/bin/python -m pip $(PIP_INSTALL) --require-hashes -r requirements/$(2).lock
	$(1)/bin/python -m pip $(PIP_INSTALL) --no-deps --no-build-isolation -e .
endef

.venv/.dev: pyproject.toml requirements/dev.lock
	$(call fill,.venv,dev,--all-extras)
	@touch $@

.venv/.demo: pyproject.toml requirements/demo.lock
	$(call fill,.venv,demo,--no-dev --extra sandbox)
	@touch $@

.venv-airflow/.airflow: pyproject.toml requirements/airflow.lock | .venv/.dev
	$(UV) venv --quiet --allow-existing --python $(BIN)/python .venv-airflow
	$(UV) pip install --quiet --python .venv-airflow --require-hashes -r requirements/airflow.lock
	$(UV) pip install --quiet --python .venv-airflow --no-deps --no-build-isolation -e .
	@touch $@

.venv-dbt/.dbt: pyproject.toml requirements/dbt.lock | .venv/.dev
	$(UV) venv --quiet --allow-existing --python $(BIN)/python .venv-dbt
	$(UV) pip install --quiet --python .venv-dbt --compile-bytecode --require-hashes -r requirements/dbt.lock
	$(UV) pip install --quiet --python .venv-dbt --no-deps --no-build-isolation -e .
	@touch $@
