# Two commands on a fresh machine: `make demo` and `make test`. Both set everything up in .venv first.
# Needs Python 3.11 or newer, pip and make; another Python is named with `make setup PYTHON=python3.13`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.setup-done

DISTRIBUTIONS := core plugins/batching plugins/imagga
PYPROJECTS := $(addsuffix /pyproject.toml,$(DISTRIBUTIONS))
SOURCES := $(addsuffix /src,$(DISTRIBUTIONS))
# Twice: only errors are shown, not what the settings of this machine make pip remark.
PIP_QUIET := --disable-pip-version-check --quiet --quiet

# More than there are cores on a small machine: half of the time a test waits, for a server, a clock or the disk.
WORKERS ?= 3

# Handed to the demo: PICTURES=folder takes your own pictures, LIVE=1 goes to the real service.
export PICTURES LIVE

.DEFAULT_GOAL := help
.PHONY: FORCE help setup demo test live-test crash-test check format docs bench bench-peers profile requirements build clean

help:  ## list what can be made
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-22s %s\n", $$1, $$2}'

setup: $(STAMP)  ## make .venv with everything in it; does nothing when it is up to date

# An environment knows where it lies: after the checkout was moved it is made again.
MOVED := $(if $(wildcard $(STAMP)),$(if $(filter-out $(CURDIR),$(shell cat $(STAMP))),FORCE))

$(BIN)/python: $(MOVED)
	@$(PYTHON) tools/check_python.py
	$(PYTHON) -m venv --clear $(VENV)

$(STAMP): $(MOVED) $(BIN)/python requirements/all.txt requirements/pip.txt $(PYPROJECTS)
	@$(BIN)/python tools/check_python.py
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip
	$(BIN)/python -m pip install $(PIP_QUIET) --require-hashes -r requirements/pip.txt
	$(BIN)/python -m pip install $(PIP_QUIET) --require-hashes -r requirements/all.txt
	$(BIN)/python -m pip install $(PIP_QUIET) --no-deps --no-build-isolation $(addprefix --editable ./,$(DISTRIBUTIONS))
	@$(BIN)/python -m pip check
	@echo $(CURDIR) > $@

demo: setup  ## run the main job against the emulator (PICTURES=folder, LIVE=1)
	$(BIN)/python examples/demo.py

test: setup  ## run the tests, three at a time; WORKERS=4 takes more
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal

live-test: setup  ## ask the real Imagga, once each call; needs IMAGGA_API_KEY and IMAGGA_API_SECRET
	$(BIN)/python -m pytest tests/live -s

crash-test: setup  ## kill the process at every named point and 300 times by chance; HAULIER_SEED=N repeats it
	$(BIN)/python -m pytest tests/crash --numprocesses $(WORKERS) --dist worksteal

check: setup  ## lint, formatting, types, import rules, documentation
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict $(SOURCES) $(wildcard tests/typing)
	MYPYPATH=tools $(BIN)/mypy --strict tools
	$(BIN)/lint-imports
	$(BIN)/python -m pytest tests/docs/test_pages.py

format: setup  ## rewrite the code as ruff formats it
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: setup  ## write the reference pages in docs/ anew from the code
	$(BIN)/python tools/write_reference.py

bench: setup  ## measure speed against peers and the limit
	$(BIN)/python bench/run.py

bench-peers: setup  ## install the peers of the bench that are written in Python
	$(BIN)/python bench/install_peers.py

profile: setup  ## where the time of the three main workloads goes
	$(BIN)/python bench/profile_runs.py

requirements: setup  ## write requirements/*.txt anew from the pyproject files (UPGRADE=1 takes newer versions)
	tools/write_requirements $(CURDIR)/$(BIN)/uv $(if $(UPGRADE),--upgrade)

build: setup  ## build the wheels and source archives into dist/
	tools/build_distributions $(CURDIR)/$(BIN)/python $(DISTRIBUTIONS)

clean:  ## remove .venv, built things and caches
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
