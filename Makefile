# `make demo` and `make test` are all that a newcomer needs; `make help` lists the rest.
# TORCH_INDEX names an extra package index that offers PyTorch's CPU build (see README).

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c

PYTHON ?= python3
TORCH_INDEX ?=
VENV := .venv
BIN := $(VENV)/bin
# stamps lie inside the environment: removing it removes the claim that it is complete
INSTALLED := $(VENV)/.trimtab-installed
READY := $(VENV)/.trimtab-ready
RESULTS := docs/results
QUICK := import ledger choices

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test check fix lint types imports bench docs studio studio-reset wheel-test clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## (.*)/  make \1\t\2/' | expand -t 20

setup: $(READY) ## create .venv with every extra but `bench`, and the text models

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "trimtab needs Python 3.11 or newer, and '$(PYTHON)' is not one." >&2; \
	  echo "Name one that is: make setup PYTHON=python3.11" >&2; exit 1; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV) || { \
	  echo "The venv module did not work; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$(VENV) holds a Python older than 3.11; remove it: rm -rf $(VENV)" >&2; exit 1; }
	@echo "Setting up $(VENV): some minutes, 2.4 GB with PyTorch's CPU build"
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(if $(TORCH_INDEX),$(BIN)/python -m pip install --quiet -c constraints.txt --extra-index-url $(TORCH_INDEX) torch)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[all]'
	@touch $@

$(READY): $(INSTALLED)
	$(BIN)/trimtab setup text
	@touch $@

demo: $(READY) ## train, decide, compare with an LLM; writes runs/demo/report.html
	$(BIN)/trimtab demo

test: $(READY) ## every test but the live ones
	$(BIN)/python -m pytest

check: lint types imports test ## what must pass before a commit

fix: $(INSTALLED) ## mend what ruff can mend, and format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lint: $(INSTALLED) ## formatting and lint rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(INSTALLED) ## mypy, strict
	$(BIN)/mypy

imports: $(INSTALLED) ## the layers and the borders of third-party code
	$(BIN)/lint-imports

bench: $(READY) $(addprefix $(RESULTS)/,$(addsuffix .json,$(QUICK))) ## the quick benchmarks; one JSON file each in docs/results

# status 3 says that a peer is not installed: its figure is null, the others stand
$(RESULTS)/%.json: $(READY) FORCE
	@mkdir -p $(RESULTS)
	$(BIN)/trimtab bench $* --json >$(VENV)/bench-$*.out || [ $$? -eq 3 ]
	@tail -n 1 $(VENV)/bench-$*.out >$@

FORCE:

docs: $(READY) ## every relative link of every document leads somewhere
	$(BIN)/python -m pytest tests/test_docs.py

studio: $(READY) ## the graphs in a local LangGraph server
	LANGGRAPH_CLI_NO_ANALYTICS=1 LANGGRAPH_NO_VERSION_CHECK=true LANGSMITH_TRACING=false \
	  $(BIN)/langgraph dev --no-browser --no-reload

studio-reset: ## forget the server's threads and queue; the ledger stays
	rm -rf .langgraph_api

wheel-test: $(READY) ## build the wheel and run its demo from an empty environment
	scripts/wheel_test.sh

clean: ## remove what was generated (not .venv: rm -rf .venv starts over)
	rm -rf build dist runs *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis \
	  .import_linter_cache .langgraph_api
	find trimtab tests -name __pycache__ -type d -prune -exec rm -rf {} +
