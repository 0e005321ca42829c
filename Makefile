# Needs Python 3.11 or newer, make and a package index; everything goes into .venv. PYTHON=... picks the interpreter.
# ARGS=... goes to the router (make run ARGS="--port 9000") or to pytest (make test ARGS="-k resume").

BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run test test-recordings test-node agents check lint types format startup bench bench-table bench-readme replay-day soak lock clean venv venv-dev

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' Makefile

run: venv ## install what is needed, once, and start the router
	@exec $(BIN)/hermes-router serve $(ARGS)

test: lint types ## lint, types and the test suite
	$(PYTEST) -m "not recordings" $(ARGS)

test-recordings: venv-dev ## replay recorded provider traffic from the folder RECORDINGS_DIR
	$(PYTEST) -m recordings $(ARGS)

test-node: venv-dev ## the official SDKs for Node (needs node 20 and npm)
	@command -v npm >/dev/null || { echo "npm is missing: install Node 20 or newer"; exit 1; }
	cd tests/node && npm ci --silent --no-audit --no-fund
	cd tests/node && npm test --silent

agents: venv-dev ## let real coding agents do a task through the router (needs node, npm; installs them into a temporary folder)
	$(BIN)/python scripts/agents/run.py $(ARGS)

check: test test-recordings test-node ## all that CI runs

lint: venv-dev ## ruff: rules and format
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: venv-dev ## mypy
	$(BIN)/mypy

format: venv-dev ## rewrite the code as ruff wants it
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

startup: venv ## print the time from start to /ready, and idle memory
	$(BIN)/python scripts/startup.py $(ARGS)

bench: venv ## measure what the router costs (Linux, cc, nginx; ARGS=--quick: 2 minutes)
	$(BIN)/python bench/run.py $(ARGS)

bench-table: venv ## print the table of the last bench
	@$(BIN)/python bench/run.py --table bench/results.json

bench-readme: venv ## put the last bench's short table into README.md
	@$(BIN)/python bench/run.py --readme bench/results.json

replay-day: venv-dev ## a day of traffic in virtual time: how much of the free quota is used, what is refused
	$(BIN)/python scripts/replay_day.py $(ARGS)

soak: venv ## ten minutes of fifty callers under faults; fails on a leak (ARGS="--minutes 3")
	$(BIN)/python scripts/soak.py $(ARGS)

lock: ## resolve the dependencies again (ARGS=--upgrade: take the newest)
	@sh scripts/lock.sh $(ARGS)

clean: ## remove .venv, caches and builds
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist
	find src tests scripts -name __pycache__ -type d -prune -exec rm -rf {} +

venv:
	@sh scripts/venv.sh run

venv-dev:
	@sh scripts/venv.sh dev
