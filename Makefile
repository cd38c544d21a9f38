# Everything that can be done with pxed on a Debian 12 machine. "make help" lists it.
# On a bare machine, as root, each of these first installs what it needs; when all is there that takes a moment.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON := .venv/bin/python
READY := .venv/.ready
PYTEST := $(PYTHON) -m pytest
SIDE_BY_SIDE := -n logical --maxprocesses 8 --dist loadfile
# Two machines at once at most: firmware has its own patience, and each takes a core.
IN_PAIRS := -n 2 --dist loadfile
CONFIG ?= config/pxed.yaml
KEEP ?=

.PHONY: help setup packages debtools libvirt axe run down test test-unit test-vagrant e2e serve lint bench docs deb wheel man lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: setup ## boot a UEFI and a BIOS machine through pxed on a private network (KEEP=1: leave it up)
	@$(PYTHON) -m tests.lab.demo $(if $(filter-out 0 no,$(KEEP)),--keep)

down: setup ## take down what "make run KEEP=1" left up
	@$(PYTHON) -m tests.lab.demo --down

test: setup libvirt debtools axe ## every test but test-vagrant: units, network, real firmware in QEMU
	failed=0; $(PYTEST) $(SIDE_BY_SIDE) -m "not net and not e2e and not vagrant" || failed=$$?; \
	$(PYTEST) $(IN_PAIRS) -m "net or e2e" || failed=$$?; exit $$failed

test-unit: $(READY) ## the tests that need neither root nor QEMU
	$(PYTEST) $(SIDE_BY_SIDE) -m "not net and not e2e and not vagrant"

test-vagrant: setup libvirt ## the Vagrantfiles: machines made, booted and destroyed by vagrant, which takes minutes
	$(PYTEST) -m vagrant -v

e2e: setup libvirt axe ## only the tests that boot real firmware or run a browser
	$(PYTEST) -m e2e -v

serve: $(READY) ## run the daemon on this host: make serve CONFIG=path/to/pxed.yaml
	.venv/bin/pxed serve -c $(CONFIG)

lint: $(READY) ## ruff and mypy
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/mypy --explicit-package-bases tests/lab docs/generate

deb: ## build the Debian package: dist/pxed_VERSION_ARCH.deb
	@tests/lab/packages --only deb
	@debian/package dist
	@ls dist/pxed_$$(dpkg-parsechangelog -S Version)_$$(dpkg --print-architecture).deb

wheel: $(READY) ## build the wheel, for pip and pipx: dist/pxed-VERSION-py3-none-any.whl
	@debian/package --copy build/wheel
	@PIP_DISABLE_PIP_VERSION_CHECK=1 $(PYTHON) -m pip --quiet wheel --no-deps --wheel-dir dist build/wheel
	@rm -rf build/wheel; ls dist/pxed-*.whl

man: $(READY) ## write the man pages: build/man
	@$(PYTHON) -m docs.generate.man build/man

lock: ## pin the Python packages of the Debian package anew, from pyproject.toml: debian/requirements.txt
	/usr/bin/python3 -m venv build/lock
	build/lock/bin/pip --quiet install pip-tools
	build/lock/bin/pip-compile --quiet --upgrade --generate-hashes --extra postgresql --strip-extras --no-header \
		--no-annotate --no-emit-find-links --no-emit-index-url --output-file debian/requirements.txt pyproject.toml
	rm -rf build/lock

bench: setup ## measure pxed beside the servers it is compared with
	$(PYTHON) -m benchmarks

docs: $(READY) ## build the documentation site into build/site and check every link in it
	@$(PYTHON) -m docs.generate.site

setup: packages $(READY) ## install Debian packages and the virtual environment

packages: ## install the Debian packages of tests/lab/packages.txt that are missing
	@tests/lab/packages

debtools: ## install the Debian packages that "make deb" and its tests need
	@tests/lab/packages deb

libvirt: $(READY) ## install the Debian packages for the tests of vagrant/; no daemon of theirs is started
	@tests/lab/packages libvirt

axe: $(READY) ## fetch axe-core from npm, which checks the dashboard's accessibility
	@$(PYTHON) -m tests.web.axe

$(READY): pyproject.toml
	@command -v /usr/bin/python3 >/dev/null && /usr/bin/python3 -c 'import ensurepip' 2>/dev/null || tests/lab/packages
	@[ -x $(PYTHON) ] || /usr/bin/python3 -m venv .venv
	@PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore $(PYTHON) -m pip install --quiet --editable '.[dev]'
	@touch $@

clean: ## remove the virtual environment, caches and what test runs left
	@[ ! -e .run/keep/state.json ] || { echo "a laboratory is up: make down first" >&2; exit 1; }
	rm -rf .venv .cache .run build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
