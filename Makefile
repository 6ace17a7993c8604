# Requires only make and Python 3.11 or newer with its venv module.

# the first Python that is new enough and has venv; `make PYTHON=/path/to/python …` overrides it
find_python = for each in python3 python3.11 python3.12 python3.13 python3.14; do \
	if $$each -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	then echo $$each; break; fi; done
PYTHON ?= $(shell $(find_python))

BIN := .venv/bin
READY := .venv/.ready
INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check
NO_PYTHON := Millpond needs Python 3.11 or newer with venv (Debian: apt-get install python3-venv); \
	or run make PYTHON=/path/to/python

# compiled modules are kept: a command that compiles the 500 modules it loads takes 0.4 s longer
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup dev demo docs reference lint types test test-all lossless simulate-many bench bench-everyday bench-plan bench-explain bench-extract bench-deliver bench-realtime bench-memory bench-certificate bench-shadow bench-ledger bench-forget bench-console screenshots services bench-year bench-scale test-scale lock sbom audit clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' Makefile

setup: $(READY) ## create .venv from requirements.lock; the other targets do it when needed

# the stamp is written last, so an interrupted installation is repeated
$(READY): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "$(NO_PYTHON)" >&2; exit 1; }
	@echo "installing requirements.lock into .venv (once; about a minute)"
	@test -x $(BIN)/python || "$(PYTHON)" -m venv .venv
	@$(INSTALL) --require-hashes -r requirements.lock
	@$(INSTALL) --no-deps --no-build-isolation -e .
	@$(BIN)/python -m compileall -q assets orchestration resources
	@touch $@

dev: $(READY) ## serve the Dagster UI and its daemon on this machine
	$(BIN)/millpond ui

demo: $(READY) ## fill a sandbox, run everything, and open the UI (DEMO_UI=0: no UI)
	$(BIN)/millpond demo

docs: $(READY) reference ## build the guide's site to build/guide/site, without network
	$(BIN)/python -m orchestration.guide.site

reference: $(READY) ## write the generated pages of the guide
	$(BIN)/python -m orchestration.guide.reference

lint: $(READY) ## check rules and format with ruff, and spelling with codespell
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell

types: $(READY) ## check types with mypy
	$(BIN)/mypy

# one worker per core; with more threads they compete for the cores. In the order of the folders: modules with many tests
# take little time, so the last ones to start are short
PARALLEL := -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

test: $(READY) ## run the tests, except the long ones (make test ARGS="-k precoro")
	POLARS_MAX_THREADS=1 $(BIN)/python -m pytest $(PARALLEL) -m "not long" $(ARGS)

test-all: $(READY) ## run all tests, including the long ones
	POLARS_MAX_THREADS=1 $(BIN)/python -m pytest $(PARALLEL) $(ARGS)

lossless: $(READY) ## count random walks through extraction (make lossless ARGS="--seeds 3000")
	$(BIN)/python -m tests.bench.lossless $(ARGS)

simulate-many: $(READY) ## rehearse many seeds at once (make simulate-many ARGS="--days 30 --seeds 300")
	POLARS_MAX_THREADS=1 $(BIN)/python -m tests.bench.simulate_many $(ARGS)

bench: $(READY) ## measure time and memory of the main job, as ratios within one run
	$(BIN)/python -m tests.bench.main_job

bench-everyday: $(READY) ## compare everyday commands with another commit (make bench-everyday ARGS="--against HEAD^")
	$(BIN)/python -m tests.bench.everyday $(ARGS)

bench-plan: $(READY) ## measure time and memory of one plan (make bench-plan ARGS="--records 1000000")
	$(BIN)/python -m tests.bench.plan $(ARGS)

bench-explain: $(READY) ## measure the explanation of one record (make bench-explain ARGS="--ledger-rows 10000000")
	$(BIN)/python -m tests.bench.explain $(ARGS)

bench-ledger: $(READY) ## measure the hash chain over the ledger (make bench-ledger ARGS="--records 1000000")
	$(BIN)/python -m tests.bench.ledger $(ARGS)

bench-forget: $(READY) ## measure the forgetting of one record (make bench-forget ARGS="--records 1000000")
	$(BIN)/python -m tests.bench.forget $(ARGS)

bench-shadow: $(READY) ## measure a comparison in shadow mode beside its plan (make bench-shadow ARGS="--records 1000000")
	$(BIN)/python -m tests.bench.shadow $(ARGS)

bench-certificate: $(READY) ## measure a certificate, and keeping versions, beside a plan (make bench-certificate ARGS="--records 1000000")
	$(BIN)/python -m tests.bench.certificate $(ARGS)

bench-console: $(READY) ## measure the console's pages on a multiplied copy of a home (make bench-console ARGS=HOME)
	$(BIN)/python -m tests.bench.console $(ARGS)

screenshots: $(READY) ## take the pictures of the documentation again (needs chromium)
	PICTURES_FOLDER=$(CURDIR)/docs/pictures POLARS_MAX_THREADS=1 $(BIN)/python -m pytest -q tests/orchestration/web/test_pictures.py \
		tests/orchestration/web/test_replay_page.py $(ARGS)

bench-extract: $(READY) ## compare extraction with other tools (make bench-extract ARGS="--customers 100000")
	$(BIN)/python -m tests.bench.extract $(ARGS)
	$(BIN)/python -m tests.bench.extract_quiet

bench-deliver: $(READY) ## compare delivery with drt-core (make bench-deliver ARGS="--rows 100000 --batch 1000")
	$(BIN)/python -m tests.bench.deliver $(ARGS)

bench-realtime: $(READY) ## measure the time from a save to both targets (make bench-realtime ARGS="--saves 30")
	$(BIN)/python -m tests.bench.realtime $(ARGS)

bench-memory: $(READY) ## measure the peak memory of every step with long texts (make bench-memory ARGS="--long 3:30000")
	$(BIN)/python -m tests.bench.memory $(ARGS)

bench-year: $(READY) ## measure a year of runs (make bench-year ARGS="--customers 100000 --days 365")
	$(BIN)/python -m tests.bench.year $(ARGS)

# a separate environment, as DuckDB 2 has no extensions as wheels yet; all other versions are those of the lock
SCALE := build/scale
$(SCALE)/.ready: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "$(NO_PYTHON)" >&2; exit 1; }
	@test -x $(SCALE)/bin/python || "$(PYTHON)" -m venv $(SCALE)
	@sed -n 's/^\([A-Za-z0-9_.-]*\)\(\[[a-z,]*\]\)\{0,1\}==\([^ \\;]*\).*/\1==\3/p' requirements.lock \
		| grep -v '^duckdb==' > $(SCALE)/constraints.txt
	@$(SCALE)/bin/python -m pip install -qq --disable-pip-version-check -c $(SCALE)/constraints.txt \
		-e '.[dev,scale,scale-test]'
	@touch $@

services: ## install PostgreSQL and Redis with apt-get if they are missing (as root)
	@command -v redis-server >/dev/null && ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || \
		{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
		postgresql redis-server >/dev/null; }

test-scale: $(SCALE)/.ready services ## run the tests with DuckLake, PostgreSQL, Redis, an object store and workers
	$(SCALE)/bin/python -m pytest tests/scale tests/orchestration/test_deploy.py $(ARGS)

bench-scale: $(SCALE)/.ready services ## measure growth of time and memory (make bench-scale ARGS="--records 10000 100000")
	$(SCALE)/bin/python -m tests.bench.scale $(ARGS)

# pip-tools has its own environment, so .venv contains only the locked packages
COMPILE := CUSTOM_COMPILE_COMMAND="make lock" build/pip-tools/bin/pip-compile --quiet --generate-hashes \
	--build-deps-for editable --allow-unsafe --no-strip-extras --no-emit-index-url --no-emit-trusted-host \
	--no-emit-find-links
IMAGE_LOCK := orchestration/deploy/requirements.lock

lock: ## regenerate requirements.lock and the image's lock from pyproject.toml (with Python 3.11)
	@test -n "$(PYTHON)" || { echo "$(NO_PYTHON)" >&2; exit 1; }
	"$(PYTHON)" -m venv build/pip-tools
	build/pip-tools/bin/python -m pip install -qq pip-tools
	$(COMPILE) --extra dev --extra docs --output-file requirements.lock pyproject.toml
	@sed -n 's/^\([A-Za-z0-9_.-]*\)\(\[[a-z,]*\]\)\{0,1\}==\([^ \\;]*\).*/\1==\3/p' requirements.lock \
		| grep -v '^duckdb==' > build/pip-tools/constraints.txt
	$(COMPILE) --extra scale -c build/pip-tools/constraints.txt --output-file $(IMAGE_LOCK) pyproject.toml

# both tools have an environment of their own: what they report is not what they need
AUDIT := build/audit
$(AUDIT)/.ready: Makefile
	@test -n "$(PYTHON)" || { echo "$(NO_PYTHON)" >&2; exit 1; }
	@test -x $(AUDIT)/bin/python || "$(PYTHON)" -m venv $(AUDIT)
	@$(AUDIT)/bin/python -m pip install -qq --disable-pip-version-check cyclonedx-bom==7.5.0 pip-audit==2.10.1 \
		2> $(AUDIT)/errors || { echo "cyclonedx-bom and pip-audit: $$(tail -n 1 $(AUDIT)/errors)" >&2; exit 1; }
	@touch $@

sbom: $(AUDIT)/.ready ## write the software bills of materials (CycloneDX JSON) of both locks to build/
	$(AUDIT)/bin/cyclonedx-py requirements --pyproject pyproject.toml --mc-type application --output-reproducible \
		-o build/sbom.json requirements.lock
	$(AUDIT)/bin/cyclonedx-py requirements --pyproject pyproject.toml --mc-type application --output-reproducible \
		-o build/sbom-image.json $(IMAGE_LOCK)

# --strict: without the network nothing can be looked up, which must not look like a clean result. The last line of a
# failure says why; the others are a traceback
AUDIT_FAILED = 2> $(AUDIT)/errors || { echo "make audit: $$(tail -n 1 $(AUDIT)/errors)" >&2; exit 1; }

audit: $(AUDIT)/.ready ## look up known vulnerabilities of both locks (needs the network)
	@$(AUDIT)/bin/pip-audit --strict --require-hashes --disable-pip -r requirements.lock $(AUDIT_FAILED)
	@$(AUDIT)/bin/pip-audit --strict --require-hashes --disable-pip -r $(IMAGE_LOCK) $(AUDIT_FAILED)

clean: ## delete the environment, caches and the demo's data, not an account's warehouse
	rm -rf .venv .millpond/demo build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
