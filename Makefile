# Talkburst. `make demo` and `make test` set up everything they need in .venv.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
RUNS ?= 5
PYTHONS ?= 3.11 3.13
# atheris comes for some Pythons and platforms only, so the fuzzer has an environment of its own.
FUZZ_PYTHON ?= $(PYTHON)
FUZZ_VENV ?= .venv-fuzz
USERS ?= 10000
# Tests in so many processes, file by file. WORKERS=0 runs them one after the other (a debugger wants that).
WORKERS ?= 2
AT_ONCE := -n $(WORKERS) --dist loadfile --no-loadscope-reorder
FLOW_TESTS := tests/unit tests/property tests/fuzz tests/diagrams tests/acceptance/test_demo.py tests/acceptance/test_scenarios.py tests/acceptance/test_by_hand.py

# Benches measure on Debian's Python where it will do, which is built for speed, and others often are not.
BUILD ?= plain
BENCH_VENV := .venv-bench$(if $(filter compiled,$(BUILD)),-compiled)
BENCH_PYTHON = $(shell /usr/bin/python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' \
  2>/dev/null && echo /usr/bin/python3 || echo $(PYTHON))

SOURCES := $(shell find poc core server xdms -name '*.py' -o -name py.typed)

.DEFAULT_GOAL := help
.PHONY: help demo compose-demo test test-all test-pythons test-wheel check acceptance interop torture fuzz diagrams wheel \
  bench bench-demo bench-register bench-memory bench-flow clean

help: ## what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.installed ## the 32 steps between four real processes, with the ladder and the verdicts
	@$(BIN)/talkburst demo $(DEMO)

compose-demo: ## the same in containers: docker-compose.yml, where need be on a docker engine of its own (COMPOSE=--stay)
	@docker/compose-demo $(COMPOSE)

test: $(VENV)/.installed-test check ## gates (ruff, mypy --strict, import-linter), then the tests
	$(BIN)/python -m pytest $(AT_ONCE) -m "not longer" $(PYTEST)

test-all: $(VENV)/.installed-test check ## gates, the other Pythons, the compiled wheel, then every test, the longer ones too
	@$(MAKE) --no-print-directory test-pythons WORKERS=2 \
	  PYTHONS="$(filter-out $(shell $(BIN)/python -c 'import sys; print("%d.%d" % sys.version_info[:2])'),$(PYTHONS))"
	@$(MAKE) --no-print-directory test-wheel WORKERS=2
	.venv-compiled/bin/python -m pytest -m longer tests/acceptance/test_overload.py $(PYTEST)
	$(BIN)/python -m pytest $(AT_ONCE) $(PYTEST)

test-pythons: ## unit and flow tests on each of PYTHONS="3.11 3.13", each in an environment of its own
	@for version in $(PYTHONS); do tests/with-python $$version $(AT_ONCE) $(FLOW_TESTS) || exit 1; done

wheel: dist/.compiled ## dist/: a wheel with SIP stack and core compiled by mypyc (wants a C compiler and Python.h), and a pure one

test-wheel: .venv-compiled/.installed ## the tests on the compiled wheel, in an environment of its own
	COMPILED="talkburst.sip.parser talkburst.net.shell talkburst_core.registrar talkburst_server.settings" .venv-compiled/bin/python -m pytest $(AT_ONCE) -m "not longer" $(PYTEST)

check: $(VENV)/.installed-test ## the gates alone
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

acceptance: $(VENV)/.installed-test ## the tests that start the real daemons
	$(BIN)/python -m pytest $(AT_ONCE) tests/acceptance $(PYTEST)

interop: $(VENV)/.installed-test ## the tests with programs of others: SIPp, tshark, ...
	$(BIN)/python -m pytest $(AT_ONCE) tests/interop $(PYTEST)

torture: $(VENV)/.installed-test ## sends the torture messages of RFC 4475 and 5118, writes docs/torture.md
	@PYTHONPATH=tests/acceptance:tests/torture $(BIN)/python -m torture_page docs/torture.md

diagrams: $(VENV)/.installed ## state machines from their tables, deviations from their marks: docs/state-machines.md, docs/deviations.md
	@PYTHONPATH=tests/diagrams $(BIN)/python -m state_machines docs/state-machines.md
	@PYTHONPATH=tests/diagrams $(BIN)/python -m deviations docs/deviations.md

fuzz: $(FUZZ_VENV)/.installed-fuzz ## looks for bytes that break the SIP stack, for SECONDS=60; keeps what it finds in tests/fuzz
	@$(FUZZ_VENV)/bin/python tests/fuzz/fuzz.py --seconds $(or $(SECONDS),60)

bench-demo: $(VENV)/.installed ## elapsed time of the flow: median of RUNS=5 demos
	@$(BIN)/python bench/demo.py --runs $(RUNS)

bench: .venv-bench/.peers .venv-bench-compiled/.bench ## cost of a message beside other stacks, and of a transaction (ROUNDS=5)
	@.venv-bench/bin/python bench/messages.py --rounds $(or $(ROUNDS),5) \
	  --compiled .venv-bench-compiled/bin/python $(BENCH)

bench-memory: $(BENCH_VENV)/.bench ## bytes that a binding costs, with 100,000 users (BUILD=compiled)
	@$(BENCH_VENV)/bin/python bench/memory.py $(BENCH)

bench-register: .venv-bench/.bench .venv-bench-compiled/.bench ## cost of a registration, plain, compiled and Kamailio's (ROUNDS=3 SECONDS=5)
	@.venv-bench/bin/python bench/register.py --rounds $(or $(ROUNDS),3) --seconds $(or $(SECONDS),5) \
	  --compiled .venv-bench-compiled/bin/python $(BENCH)

bench-flow: .venv-bench/.bench .venv-bench-compiled/.bench ## cost of the flow, plain and compiled, with USERS=10000 (FLOW=--peers for Kamailio's, BUILD=compiled alone)
	@$(BENCH_VENV)/bin/python bench/flow.py --users $(USERS) \
	  $(if $(filter compiled,$(BUILD)),,--compiled .venv-bench-compiled/bin/python) $(FLOW)

clean: ## removes the virtual environment and caches
	rm -rf $(VENV) $(FUZZ_VENV) .venv-3.* .venv-compiled .venv-bench* build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

.venv-bench/.bench: pyproject.toml
	@$(MAKE) --no-print-directory VENV=.venv-bench PYTHON="$(BENCH_PYTHON)" .venv-bench/.installed
	@touch $@

.venv-bench/.peers: .venv-bench/.bench
	@.venv-bench/bin/pip install --quiet --disable-pip-version-check --editable '.[bench]'
	@touch $@

.venv-bench-compiled/.bench: dist/.compiled
	@$(MAKE) --no-print-directory VENV=.venv-bench-compiled PYTHON="$(BENCH_PYTHON)" .venv-bench-compiled/bin/pip
	@.venv-bench-compiled/bin/pip install --quiet --disable-pip-version-check --force-reinstall \
	  $$(ls dist/*.whl | grep -v none-any)
	@touch $@

# A virtual environment, or a clear word on what is missing for one.
$(VENV)/bin/pip:
	@command -v $(PYTHON) >/dev/null 2>&1 || { \
	  echo "make: no '$(PYTHON)' found. Install Python 3.11 or newer, or name it: make PYTHON=/path/to/python3 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "make: $$($(PYTHON) --version) is too old; Talkburst needs Python 3.11 or newer (make PYTHON=python3.11 ...)" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "make: this Python has no venv module. On Debian or Ubuntu: apt-get install python3-venv; on Fedora: dnf install python3-pip" >&2; exit 1; }
	@echo "setting up $(VENV) with $$($(PYTHON) --version) ..."
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(VENV)/bin/pip
	@echo "installing Talkburst and its libraries into $(VENV) ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.installed-test: pyproject.toml | $(VENV)/bin/pip
	@echo "installing Talkburst, its libraries and the test tools into $(VENV) ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[test,strangers]'
	@touch $@ $(VENV)/.installed

dist/.compiled: hatch_build.py pyproject.toml $(SOURCES) | $(VENV)/bin/pip
	@rm -rf dist && mkdir dist
	@test -e "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h" && command -v cc >/dev/null || { \
	  echo "make: compiling wants a C compiler and Python.h. On Debian or Ubuntu: apt-get install gcc python3-dev; on Fedora: dnf install gcc python3-devel" >&2; exit 1; }
	@echo "compiling with mypyc, some two minutes ..."
	@HATCH_BUILD_HOOK_ENABLE_CUSTOM=true $(BIN)/pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .
	@$(BIN)/pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .
	@ls dist/*.whl
	@touch $@

.venv-compiled/.installed: dist/.compiled
	@echo "installing the compiled wheel and the test tools into .venv-compiled ..."
	@test -x .venv-compiled/bin/pip || $(BIN)/python -m venv .venv-compiled
	@wheel=$$(ls dist/*.whl | grep -v none-any) && \
	  .venv-compiled/bin/pip install --quiet --disable-pip-version-check "$$wheel[test,strangers]" && \
	  .venv-compiled/bin/pip install --quiet --disable-pip-version-check --no-deps --force-reinstall "$$wheel"
	@touch $@

$(FUZZ_VENV)/.installed-fuzz: pyproject.toml
	@$(MAKE) --no-print-directory VENV=$(FUZZ_VENV) PYTHON=$(FUZZ_PYTHON) $(FUZZ_VENV)/bin/pip
	@echo "installing Talkburst and the fuzzer into $(FUZZ_VENV) ..."
	@$(FUZZ_VENV)/bin/pip install --quiet --disable-pip-version-check --editable '.[fuzz]' || { \
	  echo "make: atheris cannot be had for $$($(FUZZ_VENV)/bin/python --version) here; see tests/fuzz/fuzz.py" >&2; exit 2; }
	@touch $@
