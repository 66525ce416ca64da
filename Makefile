# make demo    run the tour from top to bottom; build/tour.html shows every answer
# make test    the tests (without the browser)
# make lint    style and types
# make lab     JupyterLab, opened on the tour (as root in a container: LAB_OPTIONS=--allow-root)
# make bench   what is promised about speed and memory, each against its baseline (about an hour, on a quiet machine)
# make quality how well documents are split, found and refused, each against its baseline (on data beside the repository)
# make browser the tests that drive JupyterLab in Chromium
# make clean   remove what was built and the environment

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# The environment is made anew when what it is made of has changed, not when a checkout touched the files.
MADE_OF := $(shell cat pyproject.toml constraints/dev.txt | cksum | cut -d' ' -f1)

.PHONY: demo test lint lab bench quality browser clean

demo: $(VENV)/demo-$(MADE_OF)
	$(BIN)/python examples/run_notebook.py examples/tour.ipynb --output build

test: $(VENV)/dev-$(MADE_OF)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile

lint: $(VENV)/dev-$(MADE_OF)
	$(BIN)/python -m ruff check .
	$(BIN)/python -m mypy

lab: $(VENV)/dev-$(MADE_OF)
	$(BIN)/python -m jupyterlab $(LAB_OPTIONS) examples/tour.ipynb

bench: $(VENV)/bench-$(MADE_OF)
	for each in load_ext gguf_facts overhead streaming first_token table stop second_load swap memory quant_auto structured \
		ingest embedding search; do \
		echo "== $$each"; $(BIN)/python benchmarks/$$each.py || exit 1; done

quality: $(VENV)/bench-$(MADE_OF)
	for each in chunking retrieval refusal; do echo "== $$each"; $(BIN)/python benchmarks/$$each.py || exit 1; done

browser: $(VENV)/browser-$(MADE_OF)
	$(BIN)/python -m pytest tests/browser

clean:
	rm -rf build dist $(VENV)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)

# One rule for the sets of packages: demo, dev, bench, browser.
$(VENV)/%-$(MADE_OF): | $(BIN)/python
	$(PIP) install --quiet --quiet --progress-bar off --constraint constraints/dev.txt --editable '.[$*]'
	@touch $@
