# `make demo` and `make test` do all the set-up: they need Python >= 3.11, gcc/g++, make and git.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: demo test browser lint types sanitize fuzz kill mutate docs dist clean

demo: $(VENV)/installed
	$(BIN)/python examples/demo.py

# One process for each core, at most four: each of them loads PyTorch and JAX.
test: lint types
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4

# The tests of the page need a browser; on Debian this installs one, if there is none.
BROWSERS := chromium chromium-browser google-chrome

browser:
	@for name in $(BROWSERS); do if command -v $$name; then exit 0; fi; done; \
	apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core

lint: $(VENV)/test-installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/test-installed
	$(BIN)/mypy

# docs/how/robustness.md describes these; smaller numbers make shorter rounds.
SANITIZE_TESTS ?= tests/core tests/network tests/reference tests/estimator tests/training tests/data
FUZZ_SECONDS   ?= 60
KILL_ROUNDS    ?= 150

sanitize: sanitize-address sanitize-thread

sanitize-%: $(VENV)/test-installed
	PYTHON=$(BIN)/python tests/tools/sanitize.sh $* $(SANITIZE_TESTS)

fuzz: $(VENV)/test-installed
	$(BIN)/python tests/tools/fuzz.py --seconds $(FUZZ_SECONDS)

kill: $(VENV)/test-installed
	$(BIN)/python tests/tools/kill.py --rounds $(KILL_ROUNDS)

mutate: $(VENV)/test-installed
	$(BIN)/python -m pip install --quiet nanobind cmake  # files of core/ are compiled anew
	PATH=$(CURDIR)/$(BIN):$$PATH $(BIN)/python tests/tools/mutate.py $(FILES)

$(VENV)/installed: pyproject.toml CMakeLists.txt $(shell find core src -name '*.cpp' -o -name '*.h' -o -name '*.py' 2>/dev/null)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet .
	cp $(VENV)/lib/python*/site-packages/hashslide/_core.pyi src/hashslide/  # the build made it; mypy looks for it there
	touch $@

# PyTorch, JAX and the trainers that stand on them are large: only the tests need them.
$(VENV)/test-installed: $(VENV)/installed
	$(BIN)/python -m pip install --quiet 'hashslide[test]'  # only the tools: the package is there
	touch $@

docs: $(VENV)/docs-installed
	$(BIN)/python -m sphinx -W --keep-going -q -E -b html -d build/doctrees docs build/docs
	$(BIN)/python docs/_tools/check_site.py build/docs

$(VENV)/docs-installed: $(VENV)/test-installed
	$(BIN)/python -m pip install --quiet 'hashslide[docs]'  # only the tools: the package is there
	touch $@

# RELEASING.md describes it: what is released, built and tried in fresh environments, with more Pythons if they are named.
dist: $(VENV)/installed
	$(BIN)/python -m pip install --quiet 'hashslide[dist]'
	PATH=$(CURDIR)/$(BIN):$$PATH $(BIN)/python tests/tools/dist.py $(DIST_OPTIONS)

clean:
	rm -rf $(VENV) build dist src/hashslide/_core.pyi
