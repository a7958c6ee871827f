# make verify  check the claims on generated instances and on the diabetes data, and write the report
# make test    run the tests;  make lint, make types: the other checks;  make clean: remove what make and the tools made
# ARGS passes further arguments on:  make test ARGS='-k packaging',  make verify ARGS='--profile standard'

PYTHON ?= python3
ARGS ?=
BIN := .venv/bin
INSTALLED := .venv/.installed

# Each worker is one process, so its linear algebra gets one thread: more would share the same cores, and results would
# depend on their number.
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1
export MKL_NUM_THREADS := 1

.PHONY: verify test lint types clean

verify: $(INSTALLED)
	$(BIN)/depthlimit verify --data sklearn:diabetes $(ARGS)

test: $(INSTALLED)
	$(BIN)/pytest -n auto --dist loadgroup $(ARGS)

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(INSTALLED)
	$(BIN)/mypy

# Without build isolation the package is built by the setuptools of the constraints file too.
$(INSTALLED): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --constraint constraints.txt 'setuptools>=77.0.3'
	$(BIN)/python -m pip install --constraint constraints.txt --no-build-isolation --editable '.[dev]'
	touch $@

# The results of runs in depthlimit-out/ are kept.
clean:
	rm -rf .venv build dist depthlimit.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
