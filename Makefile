# One file to start from: `make demo` shows the main job, `make test` proves it.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# What a command needs is installed when it is first asked for: a sign-in needs no Sphinx.
DEMO := $(VENV)/.ready-demo
TEST := $(VENV)/.ready-test
SYSTEM := $(VENV)/.ready-system
CLUSTER := $(VENV)/.ready-cluster
CHECK := $(VENV)/.ready-check
DOCS := $(VENV)/.ready-docs
RELEASE := $(VENV)/.ready-release
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
SMALL := ".[cli,embedded]"
# A line for each phase, before it begins, and the seconds that it took.
phase = @printf '%s  %s ... ' "$$(date +%T)" $(1); begun=$$(date +%s); { $(2); } && echo "$$(($$(date +%s) - begun)) s"
# Bytecode that is not kept is compiled again by each of the hundreds of programs that the tests start.
unexport PYTHONDONTWRITEBYTECODE
# Four processes, as tests wait for the server more than they compute; the blocks of a page, as all of a file, in one.
SPREAD := -n 4 --dist loadfile

.PHONY: bench bench-peers help demo test quick test-18 torture fuzz findings test-system test-cluster check docs release wheel test-wheel test-examples clean

help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

## make demo        a whole sign-in on a real PostgreSQL, told step by step
demo: $(DEMO)
	@$(BIN)/pgauthkit demo

## make test        every test, on a real PostgreSQL, with branch coverage
test: $(TEST)
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest $(SPREAD) -p tests.slowest
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

## make quick       a few tests of every file, for in between (no coverage)
quick: $(TEST)
	$(BIN)/python -m pytest --quiet -n 3 --dist loadfile -p tests.sample -p tests.slowest tests

## make test-18     the service, its races and its promises, on PostgreSQL 18
test-18: $(TEST)
	$(BIN)/pytest --quiet $(SPREAD) --pgauthkit-major=18 tests/integration tests/races tests/security tests/migrations tests/ops/migrate tests/ops/revisions tests/ops/server

## make torture     deployers, backups and restores killed at many moments
torture: $(TEST)
	$(BIN)/pytest --quiet --torture -m torture tests
	$(BIN)/pytest --quiet --rounds=250 tests/races

## make fuzz        every public method with 10,000 pieces of rubbish each
fuzz: $(TEST)
	$(BIN)/pytest --quiet -n auto --hypothesis-profile=fuzz tests/security/test_fuzz.py

## make findings    what other tools do that nobody would guess: is it still so?
findings:
	@for script in findings/*.sh; do echo "$$script"; "$$script" || failed="$$failed $$script"; done; \
		test -z "$$failed" || { echo "changed:$$failed"; exit 1; }

## make test-system what needs PgBouncer, Chromium or podman, which it installs where it may
test-system: $(SYSTEM)
	tests/system/install.sh
	$(BIN)/pytest --quiet tests/system
	PYTHONPATH=tests/system $(BIN)/pytest --quiet $(SPREAD) -p through_pgbouncer tests/integration tests/security
	# Racers hold a connection to the server each while they wait for one another.
	PYTHONPATH=tests/system $(BIN)/pytest --quiet $(SPREAD) -p through_pgbouncer --pgbouncer-servers=60 tests/races

## make test-cluster  failovers of a real cluster under load (etcd, Patroni, HAProxy, PgBouncer), and an upgrade
test-cluster: $(CLUSTER)
	tests/cluster/install.sh
	$(BIN)/python -m pytest --quiet tests/cluster $(OPTIONS)

## make check       style, types, layers
check: $(CHECK)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/lint-imports --no-logo
	$(BIN)/interrogate --quiet src
	cd / && PATH=$(abspath $(BIN)):$$PATH pyright --verifytypes pgauthkit --ignoreexternal

## make bench       how fast it is; BASE=COMMIT: beside that build; ROWS=a,b: only these; QUICK=1, FULL=1: less, more
bench: $(TEST)
	$(BIN)/python -m benchmarks $(if $(QUICK),--quick) $(if $(FULL),--full) $(if $(BASE),--base $(BASE)) $(if $(ROWS),--rows $(ROWS))

## make bench-peers install what it is measured against, apart from everything else
bench-peers: $(TEST)
	$(PYTHON) -m venv build/peers
	build/peers/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	build/peers/bin/python -m pip install --quiet --group peers
	mkdir -p build/peers-node
	cp benchmarks/peers/node/* build/peers-node/
	# `prisma generate` wants an engine that it does not use; this setting of Prisma's spares the download.
	if command -v npm; then cd build/peers-node && npm install --no-audit --no-fund --silent && \
		PRISMA_SCHEMA_ENGINE_BINARY=/bin/true npm run generate --silent && touch ready; fi

## make docs        the pages in build/docs, with warnings as errors
docs: $(DOCS)
	$(BIN)/sphinx-build --quiet --nitpicky --fail-on-warning --keep-going --fresh-env docs build/docs

## make release     build and check what is published
release: wheel $(TEST)
	$(BIN)/twine check --strict dist/*
	$(BIN)/pytest --quiet tests/release

## make wheel       build dist/*.whl and dist/*.tar.gz
wheel: $(RELEASE)
	rm -rf dist
	$(BIN)/python -m build --quiet

## make test-wheel  the same tests, or only TESTS, against the built wheel, with src out of reach
test-wheel: wheel
	rm -rf build/wheel
	$(PYTHON) -m venv build/wheel/venv
	build/wheel/venv/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	build/wheel/venv/bin/python -m pip install --quiet "$$(ls dist/*.whl)[all]" --group test
	cp -r .github benchmarks conftest.py docs examples findings LICENSE Makefile pyproject.toml tests *.md build/wheel/
	cd build/wheel && venv/bin/python -m pytest --quiet $(SPREAD) -p no:cacheprovider $(TESTS)

## make test-examples  whole host projects against the built wheel, by the commands of their READMEs
test-examples: wheel
	$(BIN)/python examples/check.py build/examples dist/*.whl

## make clean       remove what the others made
clean:
	rm -rf $(VENV) dist build .coverage* .pytest_cache .mypy_cache .ruff_cache

$(DEMO): pyproject.toml
	$(call phase,"Making an environment in $(VENV)",$(PYTHON) -m venv $(VENV))
	$(call phase,"Installing pgauthkit with its command line and a PostgreSQL (about 40 MB at first)",$(PIP) install --editable $(SMALL))
	@touch $@

$(TEST): $(DEMO)
	$(call phase,"Installing every extra and what the tests need",$(PIP) install --upgrade "pip>=25.1" && $(PIP) install --editable ".[all]" --group test)
	@touch $@

$(SYSTEM): $(TEST)
	$(call phase,"Installing what drives a browser",$(PIP) install --group system)
	@touch $@

$(CLUSTER): $(TEST)
	$(call phase,"Installing Patroni",$(PIP) install --group cluster)
	@touch $@

# The types of the tests are checked too, those in tests/system as well.
$(CHECK): $(SYSTEM)
	$(call phase,"Installing what judges style and types",$(PIP) install --group check)
	@touch $@

$(DOCS): $(TEST)
	$(call phase,"Installing what makes the pages",$(PIP) install --group docs)
	@touch $@

$(RELEASE): $(DEMO)
	$(call phase,"Installing what builds and checks a wheel",$(PIP) install --upgrade "pip>=25.1" && $(PIP) install --group release)
	@touch $@
