# Everything runs in .venv, made on demand from the pins in constraints.txt.
#   make serve    start the gateway on ./data         make test    run the tests
#   make check    what CI runs                        make help    the rest

.DEFAULT_GOAL := help
.PHONY: help serve test check fmt lint types imports dev bench conformance clients

VENV := .venv
BIN := $(VENV)/bin
OLDEST := 3.11
# The first interpreter on PATH that is new enough; `make PYTHON=…` names another.
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable

help:
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

serve: $(VENV)/.serve ## start the gateway on ./data and its console (ARGS: further flags)
	@exec $(BIN)/caret serve --data ./data --console-port 5000 --uploads ./uploads $(ARGS)

test: $(VENV)/.dev ## run the tests (ARGS: further arguments of pytest)
	$(BIN)/pytest -n 2 $(ARGS)

check: lint types imports test ## what CI runs

fmt: $(VENV)/.dev ## format the code and sort its imports
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: $(VENV)/.dev ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev ## mypy --strict
	$(BIN)/mypy

imports: $(VENV)/.dev ## who may import whom
	$(BIN)/lint-imports

dev: $(VENV)/.dev ## make the environment

bench: $(VENV)/.dev ## measure (ARGS: further arguments of benchmarks/run.py)
	$(BIN)/python benchmarks/run.py $(ARGS)

conformance: $(VENV)/.dev ## run ceph's s3-tests from a checkout: make conformance S3TESTS_DIR=…
	@test -n "$(S3TESTS_DIR)" || { echo "make conformance needs S3TESTS_DIR=, a checkout of ceph/s3-tests" >&2; exit 2; }
	$(BIN)/python tests/conformance/run.py --suite "$(S3TESTS_DIR)" $(ARGS)
	$(BIN)/python tests/conformance/run.py --suite "$(S3TESTS_DIR)" --tls $(ARGS)

clients: $(VENV)/.dev ## install outside S3 clients and use them, over http and TLS (ARGS='-m built': rclone from source)
	$(BIN)/pytest tests/clients -n 2 --timeout 900 $(ARGS)

# ---------------------------------------------------------------- the environment

$(VENV)/.serve: pyproject.toml constraints.txt | $(VENV)/.made
	@echo "Installing Caret into $(VENV) ..."
	@$(INSTALL) .
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/.made
	@echo "Installing Caret and its development tools into $(VENV) ..."
	@$(INSTALL) '.[dev]'
	@touch $@ $(VENV)/.serve

$(VENV)/.made:
	@test -n "$(PYTHON)" || { echo "Caret needs Python $(OLDEST) or newer; there is none on PATH." \
		"Install it, or name it: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Caret needs Python $(OLDEST) or newer; $(PYTHON) is not." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "$(PYTHON) cannot make environments: it lacks ensurepip." \
		"On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@touch $@
