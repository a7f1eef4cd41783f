# Every command makes the virtual environment and installs what it needs; a second run is quick.
# `make help` lists them. Another Python: `make test PYTHON=python3.13`.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
EXE := $(if $(filter Windows_NT,$(OS)),.exe)
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
PACKAGES := rivya_core langchain_rivya llamaindex_rivya rivya_sandbox

.DEFAULT_GOAL := help
.PHONY: help demo test coverage check fix bench notebooks docs sandbox clean

help: ## List the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(BIN)/python$(EXE):
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) --upgrade 'pip>=25.1'

$(VENV)/.demo: $(BIN)/python$(EXE) pyproject.toml
	$(PIP) --editable '.[langchain,llamaindex,sandbox,notebooks]' --group demo
	@touch $@

$(VENV)/.test: $(BIN)/python$(EXE) pyproject.toml
	$(PIP) --editable '.[all,notebooks]' --group test
	@touch $@ $(VENV)/.demo

$(VENV)/.check: $(VENV)/.test
	$(PIP) --group check
	@touch $@

$(VENV)/.bench: $(VENV)/.test
	$(PIP) --group bench
	@touch $@

demo: $(VENV)/.demo ## Chat, query engine and image, on the sandbox or with RIVYA_API_KEY on the service
	$(BIN)/python notebooks/demo.py

test: $(VENV)/.test ## All tests
	$(BIN)/python -m pytest -n 2

coverage: $(VENV)/.test ## All tests, and how much of the code they run
	$(BIN)/python -m pytest -n 2 --cov --cov-report=term:skip-covered --cov-fail-under=97

check: $(VENV)/.check ## Format, lint, types and prose
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy tests/typing/api.py
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/python tests/support/prose.py

fix: $(VENV)/.check ## Format, and fix what the linter can fix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.bench ## Compare with other packages; prints tables, asserts nothing
	@for file in benchmarks/*.py; do case $$file in */_*) ;; *) echo "== $$file"; $(BIN)/python $$file || exit 1;; esac; done

notebooks: $(VENV)/.demo ## Run every notebook from top to bottom on the sandbox
	$(BIN)/python notebooks/run.py

# Other installations than the everyday one, each in an environment of its own.
.PHONY: test-wheel test-lowest test-latest dist
TRY := $(VENV)-try
TRYBIN := $(TRY)/$(notdir $(BIN))
TRYPIP = $(TRYBIN)/python -m pip install --quiet --disable-pip-version-check
define fresh
	rm -rf $(TRY)
	$(PYTHON) -m venv $(TRY)
	$(TRYPIP) --upgrade 'pip>=25.1'
endef

test-wheel: ## Build wheel and sdist, and run the tests from the sdist against the installed wheel
	$(fresh)
	rm -rf dist
	$(MAKE) dist
	$(TRYPIP) "$$(ls dist/rivya_integrations-*.whl)[all,notebooks]" --group test
	mkdir $(TRY)/run
	tar -xzf dist/rivya_integrations-*.tar.gz -C $(TRY)/run --strip-components 1
	cd $(TRY)/run && rm -r $(PACKAGES) llama_index && ../$(notdir $(BIN))/python -m pytest -n 2 --ignore tests/house

dist: ## Build the package and the two thin distributions that people search for, into dist/
	$(PYTHON) -m venv $(VENV)-dist
	$(VENV)-dist/$(notdir $(BIN))/python -m pip install --quiet --disable-pip-version-check build
	for folder in . distributions/*/; do $(VENV)-dist/$(notdir $(BIN))/python -m build --wheel --outdir dist "$$folder" || exit 1; done
	$(VENV)-dist/$(notdir $(BIN))/python -m build --sdist --outdir dist .

test-lowest: ## Run the tests with the lowest versions that pyproject.toml allows (PYTHON=python3.10)
	$(fresh)
	$(TRYPIP) tomli
	$(TRYBIN)/python tests/support/floors.py > $(TRY)/floors.txt
	$(TRYPIP) --editable '.[all,notebooks]' --constraint $(TRY)/floors.txt
	$(TRYBIN)/python tests/support/floors.py --tools | xargs $(TRYPIP) --constraint $(TRY)/floors.txt
	$(TRYPIP) --no-deps 'langchain-tests==1.1.9'  # asks for a newer httpx than we do
	$(TRYBIN)/python -m pytest -n 2

test-latest: ## Run the tests with the newest versions there are, pre-releases left out
	$(fresh)
	$(TRYPIP) --upgrade --upgrade-strategy eager --editable '.[all,notebooks]' --group test
	$(TRYPIP) --upgrade --no-deps 'langchain-core>=1.8,<2'  # pip alone stays below it, for a pin of a dependency's
	$(TRYBIN)/python -m pytest -n 2

$(VENV)/.docs: $(VENV)/.demo
	$(PIP) --group docs
	@touch $@

docs: $(VENV)/.docs ## Build the documentation into site/; a warning is an error
	@$(BIN)/python tests/support/reference_pages.py
	@$(BIN)/zensical build --strict --clean > $(VENV)/docs.log 2>&1; built=$$?; cat $(VENV)/docs.log; exit $$built
	@! grep 'griffe:' $(VENV)/docs.log  # what is wrong in a docstring does not end the build by itself
	@$(BIN)/python tests/support/llms_pages.py

.PHONY: live
live: $(VENV)/.test ## Check the real services against what is assumed; asks before it spends (RIVYA_API_KEY, EVOLINK_API_KEY, GMI_API_KEY)
	PYTHONPATH=tests/support $(BIN)/python -m live $(LIVE)

sandbox: $(VENV)/.demo ## Serve the sandbox on port 8008 until Ctrl-C
	$(BIN)/rivya-sandbox --port 8008

clean: ## Remove the virtual environment and what tools left behind
	rm -rf $(VENV) $(VENV)-try $(VENV)-dist $(VENV)-engines dist out .coverage .mypy_cache .ruff_cache .hypothesis *.egg-info

# Sessions: the long runs. MINUTES and SEED choose how long and from which seed on.
.PHONY: soak test-redis
MINUTES ?= 10
SEED ?= 0
WITH_REDIS := command -v redis-server >/dev/null || apt-get install --yes redis-server >/dev/null || sudo apt-get install --yes redis-server

soak: $(VENV)/.test ## Random conversations for MINUTES=10, from SEED=0, in both frameworks
	$(BIN)/python tests/support/talk_rounds.py --minutes $(MINUTES) --seed $(SEED)

test-redis: $(VENV)/.test ## The tests that need a Redis, which is installed and started for them
	@$(WITH_REDIS)
	$(BIN)/python -m pytest tests/rivya_core/sessions -k "redis or Redis"

.PHONY: test-engines
ENGINES := $(VENV)-engines
$(ENGINES)/.done: pyproject.toml
	$(PYTHON) -m venv $(ENGINES)
	$(ENGINES)/$(notdir $(BIN))/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(ENGINES)/$(notdir $(BIN))/python -m pip install --quiet --disable-pip-version-check --editable '.[all]' --group test --group engines
	@touch $@

test-engines: $(ENGINES)/.done ## joblib, Dask, Ray, Spark (needs Java) and Celery with two workers and a Redis, on the sandbox
	@$(WITH_REDIS)
	$(ENGINES)/$(notdir $(BIN))/python -m pytest tests/engines
