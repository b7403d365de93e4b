# What a person can do here. `make help` prints it.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/sh

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# Real Asterisk, Vosk and sockets wait more than they compute: more workers than cores.
JOBS   ?= 4

.PHONY: help needs setup demo run check lint types arch dead fmt test faults unit fuzz soak postgres docs model model-table bench-call bench-store bench-smpp bench-turn bench-capacity sizes untested lock clean

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

needs: ## say what is missing on this machine, and the package that has it
	@command -v $(PYTHON) >/dev/null || { echo "There is no $(PYTHON): run 'apt-get install python3 python3-venv'."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is older than 3.11: install Python 3.11 or newer, then 'make PYTHON=python3.11 …'."; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "$(PYTHON) has no venv: run 'apt-get install python3-venv'."; exit 1; }
	@command -v git >/dev/null || { echo "There is no git: run 'apt-get install git'."; exit 1; }

# The lock has hashes; nothing else is installed.
$(VENV)/locked: requirements-dev.lock pyproject.toml | needs
	@echo "making $(VENV) from requirements-dev.lock"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

setup: $(VENV)/locked ## the virtual environment

demo: setup ## a call becomes a delivered text; SAY="other words" (turns with |), KEEP=1 leaves it running
	@$(BIN)/segue demo $(if $(SAY),--say "$(SAY)") $(if $(KEEP),--keep)

run: setup ## the service, with /etc/segue/segue.toml or $SEGUE_CONFIG
	@$(BIN)/segue run

check: lint types arch dead ## everything that needs no running: before every commit

lint: setup ## ruff, format included
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: setup ## mypy --strict
	@$(BIN)/mypy

arch: setup ## import-linter: the one-way arrows
	@$(BIN)/lint-imports

dead: setup ## vulture
	@$(BIN)/vulture

fmt: setup ## one format
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

test: setup ## unit, properties, integration, acceptance; on the real Asterisk, Vosk and sockets
	@$(BIN)/pytest -n $(JOBS) --dist worksteal -q

faults: setup ## kill, freeze, fill and break things; the matrix of what holds; WRITE=README.md puts it there
	@$(BIN)/python -m tests.faults.matrix $(if $(WRITE),--write $(WRITE))

unit: setup ## the fast part: unit and properties
	@$(BIN)/pytest -n $(JOBS) -q tests/unit tests/properties

fuzz: setup ## feed bytes to everything that reads them; SECONDS=60 TARGETS="smpp_codec …"
	@$(BIN)/python -m tests.fuzz.run --seconds $(or $(SECONDS),60) $(TARGETS)

soak: setup ## mixed calls for half an hour: memory, files, tasks and orphans stay flat; MINUTES=30
	@$(BIN)/segue bench soak --minutes $(or $(MINUTES),30)

bench-smpp: setup ## the SMPP client and the whole way of a text, against node-smpp, smpplib and aiosmpplib
	@$(BIN)/python -m tests.bench.smpp

bench-turn: setup ## how soon a caller is answered and interrupted, against turns cut off; LIVE=0 for no real calls
	@$(BIN)/python -m tests.bench.turn $(if $(LIVE),--live $(LIVE))

bench-capacity: setup ## how many calls this machine carries, and what one costs
	@$(BIN)/segue bench capacity

postgres: setup ## the store's tests on another PostgreSQL: ON=debian, system, wheel or a folder of programs
	@SEGUE_POSTGRES=$(or $(ON),debian) $(BIN)/pytest -n $(JOBS) --dist worksteal -q tests/integration tests/faults tests/properties \
		-k "postgres or migrations or workers or keys or ledger"

docs: setup ## write the generated pages of docs/
	@$(BIN)/segue docs docs

model: setup ## train a mini model anew; LANGUAGE=es; needs the extra `recipe`: RECIPE=its python
	@$(or $(RECIPE),$(BIN)/python) -m ari_app.cli.recipe make $(or $(LANGUAGE),en)

model-table: setup ## how well the mini models hear: writes docs/models.md
	@$(BIN)/python -m ari_app.cli.recipe table docs/models.md

bench-call: setup ## calls: latency in packets, load, overload, faults; "segue bench call" is its first part
	@$(BIN)/python -m tests.bench.call

bench-store: setup ## the event log and the outbox, both engines, against the bare driver; LARGEST=10000000
	@$(BIN)/python -m tests.support.foreign.beside $(BIN)/segue bench store $(if $(LARGEST),--largest $(LARGEST)) $(if $(PLOT),--plot $(PLOT))

sizes: setup ## the largest files and longest functions (information)
	@git ls-files '*.py' | xargs wc -l | sort -rn | sed -n 2,12p

untested: setup ## modules without a test file of their own
	@for f in $$(git ls-files 'ari_app/*.py' 'smpp/*.py' 'asterisk/*.py' | grep -v __init__); do \
		m=$$(basename $$f .py); git ls-files 'tests/*.py' | grep -q "test_.*$$m" || echo $$f; done

lock: ## make the lock files again (needs uv)
	@uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header -q --extra voice --extra nats pyproject.toml -o requirements.lock
	@uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header -q --extra voice --extra nats --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock

clean: ## what was built; not the fetched Asterisk
	@rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
