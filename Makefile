# Any Python starts the work; tools/bootstrap.py then finds one that the project can use.
BOOT := $(shell command -v python3 || command -v python)
BIN := .venv/bin

.PHONY: demo test lint format docs bench clean

demo:  ## score a clip and show the result
	@$(BOOT) tools/bootstrap.py
	@$(BIN)/python examples/demo.py

test: lint  ## lint, type-check and test everything
	@$(BOOT) tools/system_programs.py
	$(BIN)/python -m pytest

lint: environment
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: environment  ## mend what can be mended by machine
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: environment  ## write docs/cli.md anew from the commands' --help
	$(BIN)/python -m typer dover_plugin.cli utils docs --name dover --output docs/cli.md

bench: environment  ## measure this machine: networks, reading, the whole
	$(BIN)/python benchmarks/performance.py

.PHONY: environment
environment:
	@$(BOOT) tools/bootstrap.py dev fiftyone vapoursynth openvino onnx train synthetic

clean:
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache
