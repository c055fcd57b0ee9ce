# make run       set up, make rooms, train the tiny model, evaluate it, ask it points
# make test      set up, pass the tests (at most eight minutes from an empty clone)
# make test-all  every test, the slow ones too
# make soak      the long counts
# make check     linter, formatter, type checker

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

OUT := out
ROOMS := $(OUT)/rooms
RUN := runs/rooms_tiny
PHOTO := $(ROOMS)/val-000002.png
FOCAL := 259.4  # pixels, of these 320x240 images; a photo of yours has its own

.PHONY: run test test-all soak check install dev

install: $(STAMP)
dev: $(DEV_STAMP)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("SPD needs Python 3.11 or newer, this is %d.%d; name another with PYTHON=" % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	@echo "making a virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(STAMP): pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "installing (PyTorch is the bulk; a few minutes on a first time)"
	@$(PIP) torch
	@$(PIP) -e .
	@touch $@

$(DEV_STAMP): $(STAMP)
	@$(PIP) -e '.[dev]'
	@touch $@

run: install $(ROOMS)/frames.json $(RUN)/best.json
	@rm -rf $(OUT)/evaluation
	$(BIN)/spd evaluate $(RUN) --data $(ROOMS):val -o $(OUT)/evaluation
	$(BIN)/spd query $(PHOTO) --points 60,60 160,120 260,60 60,200 160,220 260,200 \
		-m $(RUN) --focal-px $(FOCAL) --csv -o $(OUT)/points.csv --overlay $(OUT)/points.png
	@echo
	@cat $(OUT)/points.csv
	@echo
	@echo "Done: $(OUT)/points.csv holds the metres at six pixels of $(PHOTO), $(OUT)/points.png shows"
	@echo "them on the image beside the whole depth map, and $(OUT)/evaluation says how far off such a model"
	@echo "is on rooms it has not seen: minutes of training show the system working, not what it can reach."

$(ROOMS)/frames.json: | $(STAMP)
	$(BIN)/spd data rooms $(ROOMS) --count 300 --val-count 16 --height 240 --width 320

$(RUN)/best.json: | $(STAMP)
	@if [ -f $(RUN)/run.json ]; then \
		$(BIN)/spd train --resume $(RUN); \
	else \
		$(BIN)/spd train --recipe rooms_tiny --data $(ROOMS):train --val $(ROOMS):val -o $(RUN) \
			--set train.steps=400 train.warmup_steps=50 train.evaluate_every=200; \
	fi

# One process a core, each with one thread; tests of one file stay together.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile

test: dev
	$(PYTEST) -m "not slow"

test-all: dev
	$(PYTEST)

soak: dev
	SPD_SOAK=1 $(PYTEST) -m "slow or soak"

check: dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
