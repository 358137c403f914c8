# make run    installs what sessions need and opens the application on the default subject
# make test   installs everything and runs the checks and tests
# make chaos  kills, fills and takes away what a hundred sessions need, and says what was lost
# make bench  measures speed against limits and peers, and how well behaviours are found, as tables

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BASE := $(VENV)/.base
DEV := $(VENV)/.dev
INSTALL := $(BIN)/python -m pip install --quiet --constraint constraints.txt --editable
PROTOCOL ?= protocols/first_light.yaml
# processes that run tests: more than cores, as sessions in real time wait for half of their time
JOBS ?= 3
# options of `python -m chaos`: --seed N, --sessions N, --jobs N, --only KIND
CHAOS ?=

.PHONY: run test lint bench chaos setup clean

run: $(BASE)
	$(BIN)/rodent-rig gui $(PROTOCOL)

test: setup lint
	QT_QPA_PLATFORM=offscreen MUJOCO_GL=egl $(BIN)/python -m pytest -q -n $(JOBS) --dist loadfile --no-loadscope-reorder --max-worker-restart 3

lint: setup
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: setup
	$(BIN)/python -m bench
	$(BIN)/python -m bench.startup
	$(BIN)/python -m bench.runtime
	$(BIN)/python -m bench.camera
	$(BIN)/python -m bench.window
	$(BIN)/python -m bench.window_cost
	$(BIN)/python -m bench.detection
	$(BIN)/python -m bench.reading
	$(BIN)/python -m bench.recording_rate --seconds 15 --burst 10 --rounds 2
	$(BIN)/python -m bench.bus_latency --messages 400

chaos: setup
	$(BIN)/python -m chaos $(CHAOS)

setup: $(DEV)

$(BASE): pyproject.toml constraints.txt cli/system_packages.txt
	scripts/system_packages.sh
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13) and "Python 3.11 or 3.12 is needed (make PYTHON=python3.12), this is " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) .
	touch $@

$(DEV): $(BASE)
	$(INSTALL) '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info
