PYTHON ?= python3
WORKERS ?= 2
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.complete

.PHONY: env train study test lint bench clean

env: $(STAMP)

# uv when it can be had, plain pip otherwise: both install exactly what the lock names.
$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet uv \
	  && $(BIN)/uv pip install --quiet --python $(BIN)/python -r requirements.lock \
	  || $(BIN)/python -m pip install --quiet -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps -e .
	$(BIN)/python -m pip check
	touch $@

train: $(STAMP)
	$(BIN)/python -m lpo.train +experiment=dro_diffusion

# Finished cells stay in runs/study_cells: a second call trains what is missing and reports.
study: $(STAMP)
	$(BIN)/python -m lpo.study

lint: $(STAMP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright
	$(BIN)/lint-imports

# A file of tests stays with one worker, so that what its tests share is made once.
test: lint
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

# Each benchmark prints one JSON line a result; none of them is a test.
bench: $(STAMP)
	for file in $(filter-out benchmarks/measuring.py,$(wildcard benchmarks/*.py)); do echo "# $$file" >&2; $(BIN)/python "$$file" || exit 1; done

clean:
	rm -rf $(VENV) dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
