# make demo: the main job; make test: the fast tests, on two cores; make test-slow: the others, each
# with its time. Each target makes .venv on first use.
PYTHON ?= python3.11
BIN := .venv/bin
READY := .venv/.ready

.PHONY: demo test test-slow test-all lint check clean

$(READY): pyproject.toml .ci/install.py
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade pip
# CPU torch first: a plain `pip install torch` takes gigabytes of CUDA.
	$(BIN)/pip install --quiet "torch==2.13.0" $(TORCH_INDEX)
	$(BIN)/python .ci/install.py
# OpenQuake's numba holds numpy at 2.2, whose types say less than those that mypy is run with.
	$(BIN)/pip install --quiet --no-deps --target .venv/types "numpy==2.4.*"
	touch $(READY)

demo: $(READY)
	$(BIN)/python demos/managua/prepare.py
	mkdir -p demos/managua/output
	$(BIN)/oq engine --run demos/managua/job.ini
	$(BIN)/oq engine --run demos/managua/job_duration.ini
	$(BIN)/oq engine --run demos/managua/job_observed.ini
	if $(BIN)/python demos/managua/prepare.py --has-tfcgan; then \
		$(BIN)/oq engine --run demos/managua/job_tfcgan.ini; fi
	@echo "Results: demos/managua/output"

test: $(READY)
	$(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile --no-loadscope-reorder

test-slow: $(READY)
	$(BIN)/python -m pytest -m slow -vv --durations=0

test-all: $(READY)
	$(BIN)/python -m pytest --durations=40

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	MYPYPATH=.venv/types $(BIN)/mypy
	$(BIN)/lint-imports

check: lint test

clean:
	rm -rf .venv demos/*/output
