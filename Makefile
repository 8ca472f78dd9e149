# `make` says what there is. Everything happens in an environment of its own, which is made when it is needed;
# nothing is installed outside it.

VENV ?= .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq

# The first Python that is new enough; `make PYTHON=/path/to/python3.12 …` chooses another.
ifndef PYTHON
PYTHON := $(shell for each in python3.11 python3 python3.14 python3.13 python3.12 python; do \
	if $$each -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then echo $$each; break; fi; done)
endif

PACKAGES := api bench gateway protocol spec transport
PYTEST := $(BIN)/python -m pytest
# For example: make test ARGS="-k tls -x"
ARGS ?=

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help:
	@echo "make demo            see calls cross TCP and WebSocket, with and without TLS"
	@echo "make test            every test that needs no external program, with coverage"
	@echo "make test-external   the tests that need one; says what to install"
	@echo "make lint            ruff, pyright, import-linter, the ledger of promises"
	@echo "make format          let ruff format the code and sort the imports"
	@echo "make conform         the conformance suite against the reference, on all links, in both roles (3 minutes)"
	@echo "make vectors         write the vectors of the standard anew"
	@echo "make cases           write the lists of the conformance cases and of the mutants anew"
	@echo "make mutants         every mutant of the reference against every conformance case (hours)"
	@echo "make bench           measure beside other systems (minutes)"
	@echo "make soak            1,000 sessions with a mixed load: does anything pile up? (13 minutes)"
	@echo "make changelog       show the next entry of the changelog; with VERSION=1.2.3, write it"
	@echo "make clean           remove everything that make made"
	@echo
	@echo "PYTHON=…  another Python, 3.11 or later      ARGS=…  more arguments for pytest, the demo or the benchmarks"

# ---------------------------------------------------------------- what is run

.PHONY: demo
demo: $(STAMPS)/cli
	@$(BIN)/graftwire demo $(ARGS)

# The limits hold for the whole run, so ARGS that choose tests leave them out.
.PHONY: test
test: $(STAMPS)/test
	$(PYTEST) -m "not external" --cov=api --cov=gateway --cov=protocol --cov=transport --cov-report= \
		--junitxml=$(VENV)/report.xml $(ARGS)
ifeq ($(strip $(ARGS)),)
	@$(BIN)/python spec/check_promises.py --junit $(VENV)/report.xml --left-out tests/external
	@$(BIN)/python -m coverage report
	@$(BIN)/python -m coverage json -q -o $(VENV)/coverage.json
	@$(BIN)/python tests/check_branches.py $(VENV)/coverage.json protocol:95 transport:95
endif

.PHONY: test-external
test-external: $(STAMPS)/test
	$(PYTEST) -m external --junitxml=$(VENV)/report-external.xml $(ARGS)

# All of them run, so that one look shows everything; it fails if one of them does.
.PHONY: lint
lint: $(STAMPS)/lint
	@failed=; \
	try() { echo "· $$1"; shift; ( "$$@" ) || failed=1; }; \
	linted() { cd tests && "$(abspath $(BIN))/lint-imports" --config ../pyproject.toml --no-cache --no-logo; }; \
	try "ruff check" $(BIN)/ruff check; \
	try "ruff format" $(BIN)/ruff format --check; \
	try "pyright" $(BIN)/python -m pyright --pythonpath $(BIN)/python; \
	try "import-linter" linted; \
	[ ! -x $(BIN)/hadolint ] || try "hadolint" $(BIN)/hadolint examples/*/Dockerfile; \
	try "promises" $(BIN)/python spec/check_promises.py; \
	[ -z "$$failed" ] || { echo "lint: something above is wrong" >&2; exit 1; }

.PHONY: format
format: $(STAMPS)/lint
	@$(BIN)/ruff check --select I --fix --quiet
	@$(BIN)/ruff format

.PHONY: conform
conform: $(STAMPS)/cli
	@$(BIN)/graftwire conform --report $(VENV)/conformance $(ARGS) -- $(BIN)/graftwire reference

.PHONY: vectors
vectors: $(STAMPS)/venv
	@$(BIN)/python spec/make_vectors.py

.PHONY: cases
cases: $(STAMPS)/test
	@$(BIN)/python spec/make_cases.py
	@$(BIN)/python tests/conformance/mutants --page write

# Every mutant against every case, in both roles: an hour, or two. ARGS name some of them.
.PHONY: mutants
mutants: $(STAMPS)/test
	@$(BIN)/python tests/conformance/mutants --play --all $(ARGS)

.PHONY: bench
bench: $(STAMPS)/bench
	@cd tests && "$(abspath $(BIN))/python" -m graftwire.bench $(ARGS)

.PHONY: soak
soak: $(STAMPS)/cli
	@cd tests && "$(abspath $(BIN))/python" -m graftwire.bench.soak $(ARGS)

.PHONY: changelog
changelog: $(STAMPS)/dev
ifdef VERSION
	@$(BIN)/towncrier build --version "$(VERSION)"
else
	@$(BIN)/towncrier build --draft --version "$$($(BIN)/python -c 'import importlib.metadata as m; print(m.version("graftwire"))')"
endif

.PHONY: clean
clean:
	rm -rf "$(VENV)" build dist *.egg-info api/*.egg-info .coverage .coverage.* htmlcov
	rm -rf .pytest_cache .ruff_cache .hypothesis .import_linter_cache tests/.import_linter_cache
	find $(PACKAGES) tests -name __pycache__ -type d -prune -exec rm -rf {} +

# ---------------------------------------------------------------- what is installed

$(STAMPS)/venv:
	@[ -n "$(PYTHON)" ] || { echo "Graftwire needs Python 3.11 or later, and there is none on the PATH: install one," \
		"or name it with make PYTHON=/path/to/python3" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) does not run, or is" \
		"older than the Python 3.11 that Graftwire needs: name another with make PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "· making $(VENV) with $$("$(PYTHON)" --version)"
	@"$(PYTHON)" -m venv "$(VENV)" || { echo "$(PYTHON) can't make a virtual environment: on Debian and Ubuntu," \
		"apt-get install python3-venv" >&2; exit 1; }
	@$(PIP) install "setuptools>=77"
	@mkdir -p $(STAMPS) && touch $@

# What an editable install depends on: it has a link for each module, so it is made again when one comes or goes.
$(STAMPS)/modules: $(STAMPS)/venv FORCE
	@find $(PACKAGES) -name '*.py' -o -name py.typed -o -path 'spec/*.json' -o -path 'spec/*.md' -o -name '*.cddl' \
		-o -path 'spec/*.toml' \
		| LC_ALL=C sort > $@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

.PHONY: FORCE
FORCE:

# A set of extras: $(STAMPS)/cli, $(STAMPS)/test, … Strict, so that a type checker and import-linter see a package
# `graftwire` as a user would. What it needs is looked up when setup.cfg changed; otherwise only the links are made anew.
EXTRAS := cli test lint bench dev
$(EXTRAS:%=$(STAMPS)/%): $(STAMPS)/%: $(STAMPS)/modules setup.cfg setup.py
	@editable="$(PIP) install --no-build-isolation --config-settings editable_mode=strict"; \
	if ! [ -e $@ ] || [ setup.cfg -nt $@ ]; then \
		echo "· installing graftwire[$*] into $(VENV)"; \
		$$editable --editable ".[$*]" && touch $(STAMPS)/linked; \
	elif ! [ $(STAMPS)/linked -nt $(STAMPS)/modules ]; then \
		echo "· linking the modules of graftwire into $(VENV)"; \
		$$editable --no-deps --editable . && touch $(STAMPS)/linked; \
	fi
	@touch $@
