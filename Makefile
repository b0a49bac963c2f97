# Any Python starts the work; tools/bootstrap.py then finds a version that the project supports.
BOOT := $(shell command -v python3 || command -v python)
BIN := .venv/bin

.PHONY: demo check test lint format docs bench train-open environment clean

demo:  ## score two encodes of a clip
	@$(BOOT) tools/bootstrap.py demo
	@$(BIN)/python examples/demo.py

# Two processes, each with half of the cores; the tests of one file stay in one process.
# Files run in the order of their folders: by default those with few tests, the slow ones, come last.
PARALLEL := --numprocesses 2 --dist loadfile --no-loadscope-reorder
QUICK := tests/test_architecture.py tests/test_docs.py tests/test_language.py tests/test_scores.py \
	tests/preprocessing tests/networks tests/evaluation/test_metrics.py tests/reporting/test_text.py

check: lint  ## lint, type-check and run the quick tests
	$(BIN)/python -m pytest $(PARALLEL) $(QUICK)

test: lint docs  ## lint, type-check, build the documentation and run all tests
	@$(BOOT) tools/system_programs.py
	$(BIN)/python -m pytest $(PARALLEL) --ignore tests/vs_filter
	$(BIN)/python -m pytest $(PARALLEL) tests/vs_filter

lint: environment  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: environment  ## apply ruff's fixes and formatting
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: environment  ## regenerate docs/cli.md and build the site into build/site
	$(BIN)/python -m typer dover_plugin.cli utils docs --name dover --output docs/cli.md
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

bench: environment  ## measure this machine and update the tables of docs/performance.md
	$(BIN)/python benchmarks/performance.py

# Films and photographs of recipes/dover_open/sources.csv, and the photographs of BIQ2021 below biq2021/.
SOURCES ?= sources
# Large pages of memory make the fit about a fifth faster.
train-open: export GLIBC_TUNABLES = glibc.malloc.hugetlb=1
train-open: environment  ## retrain dover-open; about two hours on two cores, resumable
	$(BIN)/python -m recipes.dover_open all --sources $(SOURCES) --biq $(SOURCES)/biq2021

environment:
	@$(BOOT) tools/bootstrap.py dev fiftyone vapoursynth openvino onnx train recipe report ray demo docs

clean:
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache
