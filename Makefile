# make demo   makes .venv, builds, and shows the whole on a private network
# make test   makes .venv and runs every check and every test
# make beds   installs it on a booted systemd and runs the images, in namespaces of its own; as root
# make bench-analyzer [SPREAD=…/spread.py]   conn.log and live capture beside the peers; some minutes
# make bench-messaging [ROWS="small large lossy absent idle thousand flood multitude"]   measures it beside serf and uftp
# make install [DESTDIR=…] [PREFIX=/opt/netcrier] [BINDIR=/usr/local/bin]; make uninstall takes it away, not the data

PYTHON ?= python3
BIN := .venv/bin
SOURCES := setup.cfg setup.py pyproject.toml $(foreach kind,pyx pxd pxi,$(wildcard daemons/netcrier/analyzerd/engine/*.$(kind)))

.PHONY: demo test check smoke beds bench-analyzer bench-messaging install uninstall clean need-demo need-test

demo: need-demo .venv/installed
	$(BIN)/netctl demo

test: need-test .venv/installed-for-tests check smoke
	$(BIN)/python -m pytest -q

check: .venv/installed-for-tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy tests
	$(BIN)/lint-imports

smoke: .venv/installed-for-tests
	PYTHON=$(BIN)/python tests/smoke/run

beds:
	tests/beds/systemd.sh
	tests/beds/containers.sh

bench-analyzer: .venv/installed-for-tests
	$(BIN)/python -m tests.bench.analyzer $(if $(SPREAD),--spread $(SPREAD))

bench-messaging: need-test .venv/installed-for-tests
	tests/bench/need
	$(BIN)/python -m tests.bench.messaging $(ROWS)

install:
	packaging/install.sh

uninstall:
	packaging/uninstall.sh

clean:
	rm -rf .venv build dist daemons/*.egg-info ctl/*.egg-info *.egg-info

need-demo need-test: need-%:
	@PYTHON=$(PYTHON) packaging/bootstrap $*

$(BIN)/python:
	$(PYTHON) -m venv .venv

.venv/installed: $(SOURCES) | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

.venv/installed-for-tests: $(SOURCES) | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	@touch .venv/installed $@
