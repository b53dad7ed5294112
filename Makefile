# Everyday commands. Each sets up what it needs in .venv and is quick when called again:
# `make demo` and `make test` work on a machine that has only Python >= 3.11 and make.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
RUNS   ?= runs

# One BLAS thread: two test workers fill two cores already, and the demo's matrices are so small that
# handing half of one to another thread costs more than multiplying it.
PINNED := OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 MKL_NUM_THREADS=1
PYTEST := $(PINNED) $(BIN)/python -m pytest -n 2

.PHONY: help demo test test-thorough lint format gradcheck bench docs clean
.DEFAULT_GOAL := help

help:  ## list the commands
	@grep -E '^[a-z-]+:.*  ## ' Makefile | awk -F ':.*  ## ' '{printf "make %-14s %s\n", $$1, $$2}'

demo: $(VENV)/.train  ## train a GAN on real digits, then draw samples from it
	@$(PINNED) $(BIN)/minigan train --out "$(RUNS)"
	@run=$$(ls -d "$(RUNS)"/[0-9]*-digits | sort | tail -n 1) \
	&& $(PINNED) $(BIN)/minigan sample "$$run" --seeds 64-127 --out "$$run/grid.png" \
	&& printf '\nThe run is in %s; look at:\n' "$$run" \
	&& printf '  %-22s %s\n' \
	    grid.png           "64 samples, one for each of the seeds 64 to 127" \
	    samples/latest.png "the seeds 0 to 63 at the end of training (step-*.png: on the way)" \
	    losses.png         "both players' losses" \
	    quality.json       "the figures of the table above" \
	    metrics.jsonl      "losses and throughput, one JSON object a line"

test: $(VENV)/.test  ## the whole test suite, doctests included (under 8 minutes on two cores)
	$(PYTEST)

test-thorough: $(VENV)/.test  ## the same with many more random cases per property (long)
	MINIGAN_HYPOTHESIS_PROFILE=thorough MINIGAN_KILLS=60 $(PYTEST)

lint: $(VENV)/.test  ## check style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.test  ## repair style and formatting where a machine can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

gradcheck: $(VENV)/.train  ## check every op's derivatives, first and second order
	$(BIN)/minigan gradcheck --order 2

bench: $(VENV)/.bench  ## what one recorded op costs beside bare NumPy
	$(PINNED) $(BIN)/python -m benchmarks.engine_overhead

docs: $(VENV)/.docs  ## the API reference as web pages in build/docs
	$(BIN)/pdoc --math -o build/docs minigan

clean:  ## remove the environment, builds and caches (runs are kept)
	test ! -e $(VENV)/.created || rm -rf $(VENV)
	rm -rf build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# -- the environment: one stamp file for each set of extras ---------------------------------------

# New metadata means a new environment: nothing stale survives a change of setup.py. An environment
# without the stamp is somebody's own, and left alone.
$(VENV)/.created: setup.py
	@test ! -e $(VENV) || test -e $@ || { \
	    echo "$(VENV) was not made by this Makefile: move it away, or make VENV=.venv-minigan ..." >&2; \
	    exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "minigan needs Python >= 3.11; name one: make PYTHON=python3.12 ..." >&2; exit 1; }
	rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV) || { \
	    echo "no venv module: on Debian and Ubuntu, apt install python3-venv" >&2; exit 1; }
	@touch $@

$(VENV)/.train $(VENV)/.test $(VENV)/.bench $(VENV)/.docs: $(VENV)/.%: $(VENV)/.created
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$*]'
	@touch $@
