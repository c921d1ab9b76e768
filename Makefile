# `make demo` and `make test` need Python 3.13 and make, nothing else. Everything lands in .venv and build/.
.DELETE_ON_ERROR:
.PHONY: help demo shop test check lint types imports mirrors integration corpus soak model bench chaos rollback-faults requirements clean

VENV := .venv
PY := $(VENV)/bin/python
ARGS ?=
# The tests wait for processes more than they compute; a file stays together, its fixtures are shared.
SPREAD ?= -n 3 --dist loadfile
# Unix sockets have names of at most 107 bytes: the tests' own folders must not eat them. Kept where a test failed.
define pytest
	@folder=$$(mktemp -d /tmp/it.XXX) && $(2) $(PY) -m pytest --basetemp $$folder/t -m "$(1)" $(SPREAD) $(ARGS) && rm -rf $$folder
endef
SEEDS ?= 40
FIRST_SEED ?= 1
JOBS ?= 3

help: ## Show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

# uv installs from the same hash-pinned file in a tenth of the time; where it can't (a mirror that only pip knows), pip does.
define install
	@python=$$(./deploy/find-python) && { [ -x $(PY) ] || "$$python" -m venv $(VENV); }
	@echo "installing requirements/$(1).txt (hash-pinned) into $(VENV)" >&2
	@{ $(VENV)/bin/pip install -q --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt \
	  && $(VENV)/bin/uv pip install -q --python $(PY) --require-hashes -r requirements/$(1).txt 2>build/uv.log; } \
	  || $(VENV)/bin/pip install -q --disable-pip-version-check --require-hashes -r requirements/$(1).txt
	@$(VENV)/bin/pip install -q --disable-pip-version-check --no-deps --no-build-isolation --no-index -e .
	@touch $@
endef

build:
	@mkdir -p build

build/demo.installed: requirements/demo.txt requirements/bootstrap.txt pyproject.toml | build
	$(call install,demo)

build/dev.installed: requirements/dev.txt requirements/bootstrap.txt pyproject.toml | build
	$(call install,dev)
	@touch build/demo.installed

demo: build/demo.installed ## Freeze and kill workers in the middle of a real apply and judge what the cloud saw
	@$(VENV)/bin/interlock demo $(ARGS)

shop: build/demo.installed ## Deploy examples/shop to three regions end to end, then add a fourth by one file
	@$(PY) -m deploy.shop $(ARGS)

test: build/dev.installed ## Every test that needs nothing but Python packages
	$(call pytest,not debian and not terraform)

check: lint types imports mirrors test ## test, ruff, mypy --strict and the import contract

lint: build/dev.installed
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .

types: build/dev.installed
	@$(VENV)/bin/mypy

imports: build/dev.installed
	@$(VENV)/bin/lint-imports

mirrors: build/dev.installed
	@$(PY) tests/mirrors.py

integration: build/dev.installed ## The tests that need Debian's packages or Terraform; nothing is skipped
	$(call pytest,debian or terraform,INTERLOCK_REQUIRE_POSTGRES=1)

corpus: build/dev.installed ## 116 resource types through plan, apply, drift, destroy and a lost state with the real provider (INTERLOCK_PLUGIN_DIR; some minutes)
	@$(PY) -m tests.aws_corpus $(or $(ARGS),check recover)

soak: build/dev.installed ## 1,000 drift checks of targets that nobody touches, real provider (INTERLOCK_PLUGIN_DIR; hours); ARGS="--checks n --targets n"
	@$(PY) -m tests.drift_soak $(ARGS)

model: ## Check the model of the lease protocol exhaustively, and that every mutant of it is refuted (needs spin and gcc)
	@python=$$(./deploy/find-python) && "$$python" tests/model/check.py $(ARGS)

chaos: build/dev.installed ## Strike the whole system with seeded faults and judge what arrived: SEEDS=n FIRST_SEED=s (needs root and Debian's packages)
	@$(PY) -m tests.chaos --seeds $(SEEDS) --first-seed $(FIRST_SEED) --jobs $(JOBS) $(ARGS)

rollback-faults: build/dev.installed ## Strike a deployment at a sample of its wire calls, or --all, and see the first state come back
	@$(PY) -m tests.rollback_faults $(ARGS)

bench: build/dev.installed ## Measure the protocol on this machine into build/bench.json (needs root; some minutes)
	@$(PY) -m tests.bench $(ARGS)

requirements: build/dev.installed ## Pin the requirement files again from pyproject.toml
	@set -e; compile="$(VENV)/bin/uv pip compile -q --generate-hashes --no-emit-index-url --no-header --universal --python-version 3.13 $(ARGS)"; \
	$$compile --extra demo --extra dev pyproject.toml -o requirements/dev.txt; \
	$$compile --extra demo -c requirements/dev.txt pyproject.toml -o requirements/demo.txt; \
	$$compile -c requirements/dev.txt pyproject.toml -o requirements/run.txt; \
	$$compile --extra terraform -c requirements/dev.txt pyproject.toml -o requirements/terraform.txt; \
	printf 'uv\nsetuptools\n' | $$compile -c requirements/dev.txt - -o requirements/bootstrap.txt

clean: ## Remove .venv and build
	rm -rf $(VENV) build
