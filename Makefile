# make demo | test | soak | check | bench | clean
# PYTHON=... chooses the interpreter; otherwise the newest of python3.14 to python3.11 that runs.

PYTHON ?= $(shell for v in 3.14 3.13 3.12 3.11; do \
	python$$v -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo python$$v; exit; }; done; \
	python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev
BENCH_STAMP := $(VENV)/.installed-bench
GROUP = $(BIN)/python -c "import sys, tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['dependency-groups'][sys.argv[1]])"
# Folders of tests, and the rest together: those first that mostly wait, so that there is work for two cores to the end.
# Of interop, files are apart that have a server of their own.
LONG := scenarios interop sidecar engine etcd discovery mesh
REST := $(filter-out $(LONG) policy tools,$(patsubst tests/%/__init__.py,%,$(wildcard tests/*/__init__.py)))
SUITES := $(LONG) rest
ENGINE := tests/interop/test_docker.py
ETCD := tests/interop/test_etcd.py
# What else needs an engine is as much work as all other suites of interop: apart from `make test`, but in `.ci/run` and `make soak`.
ENGINES := $(filter-out $(ENGINE),$(wildcard $(addprefix tests/interop/test_,docker*.py image.py swarm*.py)))
ALL := engines $(SUITES)
RUN = $(if $(WEFT_SOAK),$(ALL),$(SUITES))
# With more at a time on two cores, tests that depend on time miss it.
JOBS := 4
WORKERS := 2

# A test that is out of time fails; should its end hang too, its process is ended.
END = $(if $(WEFT_SOAK),,-o faulthandler_timeout=200 -o faulthandler_exit_on_timeout=true)

# Bytecode is kept whatever the environment says: a run of all tests starts hundreds of interpreters.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo test test-image soak check format bench wheels vocabulary clean $(ALL:%=test-%)
.DEFAULT_GOAL := demo

demo: $(STAMP)
	@exec $(BIN)/weft up examples/shop

test: $(DEV_STAMP)
	@echo "the tests of $(RUN), $(JOBS) at a time; each reports when it is done ..."
	@$(MAKE) --no-print-directory --jobs $(JOBS) --keep-going --output-sync=target $(RUN:%=test-%)

soak: export WEFT_SOAK = 1
soak: wheels test

# The image of deploy/Dockerfile, built and run, and the compose file beside it.
test-image: export WEFT_SOAK = 1
test-image: $(DEV_STAMP) wheels
	$(BIN)/python -m pytest tests/interop/test_image.py tests/interop/test_docker_compose.py

# Each collects only what it runs.  Scenarios mostly wait, so files of them run beside each other.
FILES = tests/$(@:test-%=%)
test-engine: FILES = $(ENGINE)
test-engines: FILES = $(ENGINES)
test-etcd: FILES = $(ETCD)
test-rest: FILES = $(REST:%=tests/%)
test-interop: FILES = tests/interop $(addprefix --ignore=,$(ENGINE) $(ENGINES) $(ETCD))
$(ALL:%=test-%): $(DEV_STAMP)
	@echo "tests of $(@:test-%=%)"
	@$(BIN)/python -m pytest $(FILES) $(END) -p no:cacheprovider \
		$(if $(filter test-scenarios,$@),--numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder --max-worker-restart 1,-p no:xdist)

check: $(DEV_STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/policy

format: $(DEV_STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(BENCH_STAMP)
	$(BIN)/python -m benchmarks $(BENCH)

# What deploy/Dockerfile installs where there is no network, for the Python of the environment and its platform.
wheels: build/wheels/.made

build/wheels/.made: pyproject.toml constraints.txt | $(BIN)/python
	@rm -rf build/wheels
	@$(PIP) wheel --wheel-dir build/wheels --constraint constraints.txt pip "setuptools>=77" \
		$$($(BIN)/python -c "import tomllib; p = tomllib.load(open('pyproject.toml', 'rb'))['project']; print(*p['dependencies'], *p['optional-dependencies'].get('docker', []))" | sed 's/>=[^ ]*//g')
	@touch $@

vocabulary: $(DEV_STAMP)
	@$(PIP) install --constraint constraints.txt $$($(GROUP) vocabulary)
	$(BIN)/python -m tests.tools.vocabulary

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "weft needs Python 3.11 or later: install python3.11 or set PYTHON=/path/to/python" >&2; exit 1; }
	@if $(PYTHON) -c 'import ensurepip' >/dev/null 2>&1; then $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }; \
	elif pip --python "$$(command -v $(PYTHON))" --version >/dev/null 2>&1; then $(PYTHON) -m venv --without-pip $(VENV); \
	else echo "$(PYTHON) has no ensurepip, and there is no pip 22.3 or later:" \
		"install the package python3-venv (Debian, Ubuntu)" >&2; exit 1; fi

# pip of the environment if it has one, else the machine's pip pointed at the environment.
PIP = $(shell test -x $(BIN)/pip && echo $(BIN)/pip || echo pip --python $(BIN)/python) --disable-pip-version-check --quiet

$(STAMP): pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing weft into $(VENV), once; it may take a minute ..."
	@$(PIP) install --constraint constraints.txt --editable .
	@touch $@

$(DEV_STAMP): $(STAMP)
	@echo "installing what the tests need into $(VENV), once ..."
	@$(PIP) install --constraint constraints.txt $$($(GROUP) dev)
	@touch $@

$(BENCH_STAMP): $(DEV_STAMP)
	@echo "installing what the benchmarks need into $(VENV), once ..."
	@$(PIP) install --constraint constraints.txt $$($(GROUP) bench)
	@touch $@

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache
