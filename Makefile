# `make demo` and `make test` do all the set-up: they need Python >= 3.11, gcc/g++, make and git.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: demo test clean

demo: $(VENV)/installed
	$(BIN)/python examples/demo.py

test: $(VENV)/installed
	$(BIN)/python -m pytest

$(VENV)/installed: pyproject.toml CMakeLists.txt $(shell find core src -name '*.cpp' -o -name '*.h' -o -name '*.py' 2>/dev/null)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet '.[test]'
	touch $@

clean:
	rm -rf $(VENV) build dist
