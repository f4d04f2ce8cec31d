# make run    everything, on the embedded phantom data set: two models, two protocols, one report
# make test   the whole test suite
# make install   .venv alone, which both make first, from nothing but Python 3.11 to 3.13 and pip
PYTHON ?= python3
CORES ?= $(shell nproc 2>/dev/null || echo 2)
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
TOOLS := $(VENV)/audit-tools

.PHONY: install run stages record adopt test lint format lock licences audit-dependencies clean help

help:
	@sed -n 's/^# //p' Makefile

$(INSTALLED): requirements.lock pyproject.toml
	@test "$$(uname -sm)" = "Linux x86_64" || \
		{ echo "requirements.lock is for Linux on x86-64: elsewhere see docs/containers.md (conda)" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
		{ echo "brainmri needs Python 3.11 to 3.13; name one with: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "Installing the pinned packages into $(VENV) (once; a few minutes) ..."
	@rm -rf $(VENV) && $(PYTHON) -m venv $(VENV)
	@PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip install -qq --require-hashes --no-deps -r requirements.lock
	@PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip install -qq --no-deps --no-build-isolation --editable .
	@touch $@

install: $(INSTALLED)

run: $(INSTALLED)
	@$(BIN)/snakemake --cores $(CORES) --resources gpu=1
	@echo "The report: results/quickstart/report/index.html"

stages: $(INSTALLED)
	@$(BIN)/python workflow/versioning/stages.py

record adopt: $(INSTALLED)
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python workflow/versioning/handshake.py $@

test: $(INSTALLED)
	@$(BIN)/python -m pytest -n $(CORES) --dist loadfile

lint: $(INSTALLED)
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/snakefmt --check Snakefile workflow

format: $(INSTALLED)
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format --quiet . && $(BIN)/snakefmt Snakefile workflow

# Needs uv; the lock names packages and digests, never an index.
lock:
	uv pip compile --python-version 3.11 --python-platform x86_64-manylinux_2_28 --generate-hashes --all-extras \
		--no-header --no-annotate --no-emit-index-url pyproject.toml -o requirements.lock

# Two tools of their own, apart from the pinned packages, which they look at.
$(TOOLS)/installed: .ci/audit-tools.txt $(INSTALLED)
	@$(BIN)/python -m venv $(TOOLS)
	@PIP_DISABLE_PIP_VERSION_CHECK=1 $(TOOLS)/bin/python -m pip install -qq -r .ci/audit-tools.txt
	@touch $@

licences: $(TOOLS)/installed
	@$(TOOLS)/bin/pip-licenses --python $(BIN)/python --order license --with-urls

# Needs a network, and says so where it has none.
audit-dependencies: $(TOOLS)/installed
	@$(BIN)/python .ci/audit_dependencies.py $(TOOLS)/bin/pip-audit requirements.lock

clean:
	rm -rf $(VENV)
