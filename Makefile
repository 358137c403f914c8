# make run    sets everything up and opens the application on the default subject
# make test   sets everything up and runs the checks and tests
# make bench  measures speed against limits and peers, and how well behaviours are found, as tables

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PROTOCOL ?= protocols/first_light.yaml

.PHONY: run test lint bench setup clean

run: setup
	$(BIN)/rodent-rig gui $(PROTOCOL)

test: setup lint
	QT_QPA_PLATFORM=offscreen MUJOCO_GL=egl $(BIN)/python -m pytest -q -n 2 --dist loadfile

lint: setup
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: setup
	$(BIN)/python -m bench
	$(BIN)/python -m bench.detection
	$(BIN)/python -m bench.reading

setup: $(READY)

$(READY): pyproject.toml constraints.txt cli/system_packages.txt
	scripts/system_packages.sh
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $(READY)

clean:
	rm -rf $(VENV) build *.egg-info
