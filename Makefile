# pytriton: `make serve` and `make test` do everything they need on a fresh Debian 12.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
JOBS ?= $(shell nproc)
PORTS ?= --http-port 8000 --grpc-port 8001 --metrics-port 8002

# pip builds in this checkout with the virtual environment's own tools: the second build is fast.
PIP := $(BIN)/python -m pip --disable-pip-version-check
STAMPS := $(VENV)/stamps
SOURCES := CMakeLists.txt pyproject.toml README.md LICENSE \
  $(shell find cmake csrc pytriton -type f -not -name '*.pyc' 2>/dev/null)
CXX_SOURCES := $(SOURCES) $(shell find tests/csrc -type f 2>/dev/null)
export CMAKE_BUILD_PARALLEL_LEVEL ?= $(JOBS)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help serve test test-all install wheel bench lint fuzz clean distclean \
  system-build system-test system-fuzz test-cpp test-python test-e2e test-asan test-tsan

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

serve: install $(STAMPS)/demo ## Build, install and serve the demo: a digits classifier
	$(BIN)/python -m pytriton.serve $(PORTS) examples/digits/app.py

test: ## Run every test: lint, C++, Python, end to end, sanitizers
	tools/run-tests.sh

test-all: system-test ## Run the Python unit tests on every CPython here, with numpy 1 and 2
	tools/test-pythons.sh

install: $(STAMPS)/package ## Build pytriton and install it into .venv

wheel: install $(STAMPS)/wheel ## Build a wheel that installs anywhere, and try it
	PYTHON=$(BIN)/python tools/build-wheel.sh

bench: install ## Run the benchmark against nvidia-pytriton and mosec
	bench/run.sh

lint: $(STAMPS)/test build/dev/compile_commands.json ## Check architecture, formats, types, clang-tidy
	$(BIN)/python -m pytest tests/lint

fuzz: system-fuzz ## Build the libFuzzer targets and run each for FUZZ_SECONDS (60)
	cmake --preset fuzz
	cmake --build --preset fuzz --target fuzzers
	tools/run-fuzzers.sh build/fuzz

clean: ## Remove what was built
	rm -rf build dist

distclean: clean ## Remove the virtual environment as well
	rm -rf $(VENV)

# --- the parts of `make test` -------------------------------------------------------------------

test-cpp: system-test ## Run the C++ unit tests
	cmake --preset check
	cmake --build --preset check
	ctest --preset check -j $(JOBS)

test-asan: system-test ## Run the C++ unit tests under ASan and UBSan
	cmake --preset asan
	cmake --build --preset asan
	ctest --preset asan -j $(JOBS)

test-tsan: system-test ## Run the C++ unit tests under TSan
	cmake --preset tsan
	cmake --build --preset tsan
	ctest --preset tsan -j $(JOBS)

test-python: install $(STAMPS)/test ## Run the Python unit tests
	$(BIN)/python -m pytest tests/python

test-e2e: install $(STAMPS)/test $(STAMPS)/perf-analyzer ## Run the end-to-end tests
	$(BIN)/python -m pytest tests/e2e tests/reload tests/gpu

# --- set-up -------------------------------------------------------------------------------------

ifdef SYSTEM_READY
system-build system-test system-fuzz:
else
system-build system-test system-fuzz: system-%:
	@PYTHON=$(PYTHON) tools/setup-system.sh $*
endif

$(STAMPS)/venv: | system-build
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --upgrade 'pip>=25.1'
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/%: $(STAMPS)/venv pyproject.toml
	$(PIP) install --quiet --group $*
	@touch $@

$(STAMPS)/test: | system-test

$(STAMPS)/package: $(STAMPS)/build $(SOURCES)
	$(PIP) install --verbose --no-build-isolation --no-deps --force-reinstall .
	$(PIP) install --quiet numpy
	@touch $@

# NVIDIA's perf_analyzer is a binary in an older client wheel; it is kept apart from our environment.
$(STAMPS)/perf-analyzer: $(STAMPS)/venv
	$(PIP) install --quiet --no-deps --upgrade --target build/perf-analyzer \
	  tritonclient==2.51.0 nvidia-cuda-runtime-cu12
	@touch $@

build/dev/compile_commands.json: CMakeLists.txt CMakePresets.json $(wildcard cmake/*) | system-test
	cmake --preset dev
	cmake --build --preset dev --target pt_proto_headers
