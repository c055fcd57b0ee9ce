# make run       set up, ask the model that ships for six points of a room, print the errors, draw it
# make evaluate  score that model on eight rooms it has not seen, and write a report
# make test      set up and run the tests
# make test-all  every test, the slow ones (make test-slow) after the others
# make soak      the tests with large counts
# make check     linter, formatter, type checker
# make docs      build the documentation in out/site, and the pages that are generated
# make train     train a tiny model on synthetic rooms: minutes
# make model     train the shipped model again: hours
# make experiment  compare the local paths on the shipped model: an hour
# make performance measure speed into research/performance.md: half an hour of an idle machine

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TRAIN_STAMP := $(VENV)/.installed-train
DEV_STAMP := $(VENV)/.installed-dev
SLOW_STAMP := $(VENV)/.installed-slow
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

OUT := out
WEB := $(abspath $(OUT)/web)
HELD_OUT := $(OUT)/held_out
ROOMS := $(OUT)/rooms
TINY := runs/rooms_tiny
TRUNK := runs/rooms_trunk
LONGER := runs/rooms_longer
LENSES := runs/rooms_lenses
LAST := runs/rooms_shipped
RECIPES := research/recipes
MODEL := $(OUT)/model

.PHONY: run evaluate train model experiment performance test test-slow test-all soak check docs install dev

install: $(STAMP)
dev: $(DEV_STAMP)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("SPD needs Python 3.11 or newer, this is %d.%d; name another with PYTHON=" % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	@echo "making a virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)

# What asking needs; no PyTorch.
$(STAMP): pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "installing"
	@$(PIP) -e .
	@touch $@

$(TRAIN_STAMP): $(STAMP)
	@echo "installing PyTorch and what training needs (a few minutes on a first time)"
	@$(PIP) torch
	@$(PIP) -e '.[train]'
	@touch $@

$(DEV_STAMP): $(STAMP)
	@echo "installing PyTorch and the tools of development (a few minutes on a first time)"
	@$(PIP) torch
	@$(PIP) -e '.[dev]'
	@touch $(TRAIN_STAMP) $@

# Only slow tests need Ray, and onnxruntime-web where npm can install it.
$(SLOW_STAMP): $(DEV_STAMP)
	@$(PIP) -e '.[dev,ray]'
	@npm install --silent --no-audit --no-fund --prefix $(WEB) onnxruntime-web@1.30.0 \
		|| echo "onnxruntime-web is not installed; its tests are skipped"
	@touch $@

run: install
	$(BIN)/spd demo -o $(OUT) --overwrite

evaluate: $(TRAIN_STAMP) $(HELD_OUT)/frames.json
	@rm -rf $(OUT)/evaluation
	$(BIN)/spd evaluate shipped --data $(HELD_OUT):val -o $(OUT)/evaluation --max-points 20000
	$(BIN)/spd report $(OUT)/evaluation

# Validation rooms of seed 1 are held out: no model was trained on them or chosen by them.
$(HELD_OUT)/frames.json: | $(TRAIN_STAMP)
	$(BIN)/spd data rooms $(HELD_OUT) --count 0 --val-count 8 --seed 1

train: $(TRAIN_STAMP) $(ROOMS)/frames.json $(TINY)/best.json
	$(BIN)/spd evaluate $(TINY) --data $(ROOMS):val -o $(OUT)/tiny_evaluation

$(ROOMS)/frames.json: | $(TRAIN_STAMP)
	$(BIN)/spd data rooms $(ROOMS) --count 300 --val-count 16 --height 240 --width 320

$(TINY)/best.json: | $(TRAIN_STAMP)
	@if [ -f $(TINY)/run.json ]; then \
		$(BIN)/spd train --resume $(TINY); \
	else \
		$(BIN)/spd train --recipe rooms_tiny --data $(ROOMS):train --val $(ROOMS):val -o $(TINY) \
			--set train.steps=400 train.warmup_steps=50 train.evaluate_every=200; \
	fi

# A run that is there goes on; one that is finished stays as it is.
define trained
	@if [ -f $(1)/run.json ]; then $(BIN)/spd train --resume $(1); else \
		$(BIN)/spd train --val $(OUT)/rooms_6000:val -o $(1) $(2); fi
endef

# Rooms of another seed, of one size and of NYU's focal length at a width of 320: other sizes are other lenses.
define lens
	$(BIN)/spd data rooms $(OUT)/$(1) --count $(2) --val-count 0 --seed $(3) --height $(4) --width $(5) --focal-px 259.4
endef

rooms = $(foreach name,$(1),$(OUT)/$(name):train)

model: $(TRAIN_STAMP)
	$(BIN)/spd data rooms $(OUT)/rooms_6000 --count 6000 --val-count 64 --height 240 --width 320
	$(call trained,$(TRUNK),--recipe $(RECIPES)/rooms_trunk.toml --data $(OUT)/rooms_6000:train)
	$(call trained,$(LONGER),--recipe $(RECIPES)/rooms_longer.toml --data $(OUT)/rooms_6000:train --set train.start_from=$(TRUNK))
	$(BIN)/spd data rooms $(OUT)/lens_63deg --count 6000 --val-count 0 --seed 2 --height 240 --width 320
	$(call lens,lens_48deg,500,3,171,229)
	$(call lens,lens_54deg,300,4,200,267)
	$(call lens,lens_72deg,150,5,282,376)
	$(call lens,lens_83deg,250,6,343,457)
	$(call trained,$(LENSES),--recipe $(RECIPES)/rooms_lenses.toml --set train.start_from=$(LONGER) --data \
		$(call rooms,lens_63deg lens_48deg lens_54deg lens_72deg lens_83deg))
	$(BIN)/spd data rooms $(OUT)/last_63deg --count 5000 --val-count 0 --seed 11 --height 240 --width 320
	$(call lens,last_48deg,900,12,171,229)
	$(call lens,last_54deg,500,13,200,267)
	$(call lens,last_72deg,500,14,282,376)
	$(call lens,last_83deg,500,15,343,457)
	$(call trained,$(LAST),--recipe $(RECIPES)/rooms_shipped.toml --set train.start_from=$(LENSES) --data \
		$(call rooms,last_63deg last_48deg last_54deg last_72deg last_83deg))
	@rm -rf $(MODEL)
	$(BIN)/spd pack $(LAST) -o $(MODEL)
	@echo "src/spd/shipped holds such a model; put this one there to ship it."

experiment: $(TRAIN_STAMP)
	$(BIN)/python -m research.experiment -o $(OUT)/experiment --set trunk_weights=shipped

# int8 and OpenVINO are measured too, which the development environment has.
performance: dev
	$(BIN)/spd data rooms $(OUT)/held --count 0 --val-count 64 --seed 1
	$(BIN)/python -m research.performance inference -o $(OUT)/benchmark --data $(OUT)/held:val
	$(BIN)/python -m research.performance page $(OUT)/benchmark

# One process per core, each with one thread; the tests of one file stay together. If a process
# dies, the run ends with the name of its test instead of waiting for an answer.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile --max-worker-restart 0

test: dev
	$(PYTEST) -m "not slow"

# These load every core or take gigabytes of memory, so they run apart from the others.
test-slow: $(SLOW_STAMP)
	ONNXRUNTIME_WEB=$(WEB) $(PYTEST) -m slow

test-all: test test-slow

soak: $(SLOW_STAMP)
	SPD_SOAK=1 ONNXRUNTIME_WEB=$(WEB) $(PYTEST) -m "slow or soak"

check: dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Warnings are errors.
docs: dev
	$(BIN)/python tools/access_pattern.py
	$(BIN)/python tools/commands_page.py
	$(BIN)/python tools/configuration_page.py
	$(BIN)/python tools/http_page.py
	@rm -rf $(OUT)/site
	$(BIN)/zensical build --clean --strict
