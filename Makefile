# Everything that people and CI do with this repository. `make help` lists the targets.

.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

# The first Python that is new enough; say PYTHON=… for another one.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$p"; break; }; done)
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.made-by-make
VLLM_VENV ?= .venv-vllm
VLLM_STAMP := $(VLLM_VENV)/.made-by-make
SGLANG_VENV ?= .venv-sglang
SGLANG_STAMP := $(SGLANG_VENV)/.made-by-make
MODEL ?= smollm2

# Two workers: the tests of the model need about 1 GB each.
# One thread each: two processes whose thread pools spin on two cores take ten times as long.
PYTEST ?= OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

DEMO_TASK ?= Find a flight from Berlin to Lisbon on Friday and a hotel near the centre, then sum up the trip.
DEMO_PLAN := build/demo/plan.md

.PHONY: help venv model demo test lint check bench docs clean venv-vllm test-vllm venv-sglang test-sglang

help: ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(firstword $(MAKEFILE_LIST)) | sed -E 's/^([a-z-]+):.*## (.*)/make \1\t\2/' | expand -t 22

venv: $(STAMP) ## Make .venv with the core, the transformers engine and the development tools

$(STAMP): pyproject.toml requirements/constraints.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed" >&2; exit 2; }
	@test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements/constraints.txt -e '.[transformers,dev]'
	@touch $@

model: venv ## Fetch the embedded language model, once
	@$(BIN)/agentic-dsl models pull $(MODEL)

demo: venv ## Let the embedded model write a subgraph for a task, and draw it
	@$(BIN)/agentic-dsl models pull $(MODEL) >/dev/null
	@mkdir -p $(dir $(DEMO_PLAN))
	@echo "task: $(DEMO_TASK)"
	@# Exit code 1 says that the answer has findings: it is shown all the same.
	@$(BIN)/agentic-dsl generate "$(DEMO_TASK)" --tools examples/tools.json --max-nodes 5 \
		--allow-type tool_call --allow-type dsl_call --allow-type end --model $(MODEL) -o $(DEMO_PLAN) || test $$? -eq 1
	@echo; cat $(DEMO_PLAN)
	@echo; $(BIN)/agentic-dsl graph $(DEMO_PLAN) || test $$? -eq 1

test: venv model lint check ## Everything that must hold before a commit

lint: venv ## Style, types, layers
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

check: venv ## The tests
	$(PYTEST)

venv-vllm: $(VLLM_STAMP) ## Make .venv-vllm with real vLLM on the CPU (2 GB)

# uv, because pip cannot leave out what a package asks for; scripts/uv.py passes pip's own settings on to it.
$(VLLM_STAMP): pyproject.toml requirements/vllm.txt requirements/vllm-overrides.txt scripts/uv.py
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed" >&2; exit 2; }
	@test -x $(VLLM_VENV)/bin/python || "$(PYTHON)" -m venv $(VLLM_VENV)
	$(VLLM_VENV)/bin/python -m pip install --quiet --disable-pip-version-check uv
	$(VLLM_VENV)/bin/python scripts/uv.py pip install --quiet -r requirements/vllm.txt \
		--overrides requirements/vllm-overrides.txt -e '.[masks,http,metrics]'
	@touch $@

# Warnings of vLLM's own libraries are not errors of ours. Two thread pools on few cores would only spin: one thread.
test-vllm: venv-vllm model ## Run the vLLM engine, plug-in and server for real, on the CPU
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 $(VLLM_VENV)/bin/python -m pytest -W default tests/with_vllm

venv-sglang: $(SGLANG_STAMP) ## Make .venv-sglang with SGLang's own grammar classes, without its packages for a GPU

$(SGLANG_STAMP): pyproject.toml requirements/sglang.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed" >&2; exit 2; }
	@test -x $(SGLANG_VENV)/bin/python || "$(PYTHON)" -m venv $(SGLANG_VENV)
	$(SGLANG_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/sglang.txt -e .
	$(SGLANG_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps sglang==0.5.23
	@touch $@

test-sglang: venv-sglang model ## Drive the plug-in for SGLang by SGLang's own classes, as far as they run without a GPU
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 $(SGLANG_VENV)/bin/python -m pytest tests/with_sglang

bench: venv model ## The benchmarks, with medians and spread
	$(BIN)/python -m benchmarks

docs: venv ## Write the reference pages that are generated from the code
	$(BIN)/python scripts/reference.py --write
	$(BIN)/python scripts/capabilities.py --write
	$(BIN)/python scripts/operations.py --write
	$(BIN)/python scripts/rules.py --write

clean: ## Remove what the targets made, but for the model
	rm -rf $(VENV) $(VLLM_VENV) $(SGLANG_VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
