# duecourse: `make help` lists the targets. Needs Python 3.11 or newer, Java 17 or newer, Maven and make.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
BIN := .venv/bin
LOCK := deploy/requirements.lock
PACKAGES_STAMP := .setup/packages
KAFKA_STAMP := .setup/kafka

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(PACKAGES_STAMP) $(KAFKA_STAMP) ## virtual environment, locked packages, Kafka's jars: once, then only when something changed

$(PACKAGES_STAMP): $(LOCK) pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "duecourse needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) --version 2>&1). Name another: make setup PYTHON=python3.12" >&2; exit 2; }
	test -x $(BIN)/pip || $(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(LOCK)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@mkdir -p $(@D) && touch $@

$(KAFKA_STAMP): deploy/pom.xml $(PACKAGES_STAMP)
	$(BIN)/duecourse kafka fetch
	@mkdir -p $(@D) && touch $@

# The alerts' tests need Prometheus and Alertmanager: taken from Debian where that is possible, else they are left out, loudly.
.PHONY: promtool
promtool:
	@{ command -v promtool && command -v amtool; } >/dev/null || { command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] \
	  && apt-get update -qq >/dev/null 2>&1 && apt-get install -y -qq --no-install-recommends prometheus prometheus-alertmanager >/dev/null 2>&1 \
	  && command -v promtool >/dev/null; } \
	  || echo "promtool or amtool is missing and cannot be installed here: tests of rules and alerts are left out" >&2

.PHONY: monitoring
monitoring: $(PACKAGES_STAMP) ## write rules, alerts, runbooks, drills and dashboards anew
	$(BIN)/python -m deploy.monitoring.generate

.PHONY: test
test: setup promtool links lint ## all gates and all tests
	$(BIN)/pytest --numprocesses 2 --dist loadfile

.PHONY: lint
lint: $(PACKAGES_STAMP) ## format, lint, types, floors, drift of the generated contract
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy --strict shared services
	$(BIN)/lint-imports
	$(BIN)/python -m shared.contract.schemas --check

.PHONY: format
format: $(PACKAGES_STAMP) ## put the code into the house's form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: schemas
schemas: $(PACKAGES_STAMP) ## write JSON Schemas, AsyncAPI and the event catalogue anew
	$(BIN)/python -m shared.contract.schemas

.PHONY: demo
demo: setup ## sixty simulated days on a real Kafka, in about four minutes
	$(BIN)/duecourse demo

.PHONY: bench
bench: setup ## speed and size on this machine, beside a naive stock-Faust app
	$(BIN)/python -m tests.bench $(BENCH)

# Faults of the network need namespaces: the tools are taken from Debian where that is possible, else the cells are left out, loudly.
.PHONY: links
links:
	@{ command -v ip && command -v tc && command -v iptables; } >/dev/null || { command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] \
	  && apt-get update -qq >/dev/null 2>&1 && apt-get install -y -qq --no-install-recommends iproute2 iptables >/dev/null 2>&1 && command -v iptables >/dev/null; } \
	  || echo "iproute2 or iptables are missing and cannot be installed here: faults of the network are left out" >&2

.PHONY: chaos
chaos: setup links ## faults against the real services on a real Kafka, in about twenty minutes
	$(BIN)/python -m tests.chaos $(CHAOS)

.PHONY: pythons
pythons: $(PACKAGES_STAMP) ## small environments of the other Pythons that are on this machine, for the simulation
	$(BIN)/python -m tests.pythons

# SWARM="--from 50000 --seconds 500" plays others; a crossing of fault and phase that was never met is a failure.
.PHONY: repairs
repairs: setup ## hanging transactions, lost changelogs and former builds, taken apart and repaired, in about five minutes
	$(BIN)/pytest -m repairs tests/kafka

.PHONY: nightly
nightly: pythons ## examples by new dice; ten thousand small worlds with faults of their own choice, in memory, and the table of what they met
	$(BIN)/pytest --hypothesis-profile chance --numprocesses 2 --dist loadfile -m "not kafka and not repairs" tests/shared tests/services
	$(BIN)/duecourse swarm --seeds 10000 --all-met --write docs/reliability/simulation.md $(SWARM)

# An environment of its own: the fuzzer comes built for Linux and Python 3.12 and newer only, and under 3.11 what it puts
# into the code breaks it.
FUZZ_PYTHON ?= python3.13
FUZZ_SECONDS ?= 120
FUZZ_STAMP := .setup/fuzz
$(FUZZ_STAMP): $(LOCK) deploy/requirements-fuzz.lock
	$(FUZZ_PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 12))'
	$(FUZZ_PYTHON) -m venv --clear .fuzz/venv
	.fuzz/venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $(LOCK)
	.fuzz/venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r deploy/requirements-fuzz.lock
	@mkdir -p $(@D) && touch $@

.PHONY: fuzz
fuzz: $(FUZZ_STAMP) ## search for input that hurts, guided by coverage: two minutes for each core, and for the codec
	for target in codec reminder escalation credit_report rate_limiter; do .fuzz/venv/bin/python -m tests.fuzz $$target $(FUZZ_SECONDS); done

.PHONY: lock
lock: $(PACKAGES_STAMP) ## choose new versions for the lock file, for all supported Pythons
	$(BIN)/uv pip compile pyproject.toml --quiet --upgrade --universal --python-version 3.11 --extra dev --extra tracing --generate-hashes \
	  --no-header --no-annotate --no-emit-index-url --no-emit-find-links --output-file $(LOCK)

.PHONY: clean
clean: ## remove everything that the targets above made
	test ! -x $(BIN)/duecourse || $(BIN)/duecourse kafka stop
	rm -rf .venv .setup .kafka .demo .fuzz .duecourse .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
