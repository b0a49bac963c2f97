# Any Python starts the work; tools/bootstrap.py then finds one that the project can use.
BOOT := $(shell command -v python3 || command -v python)
BIN := .venv/bin

.PHONY: demo test lint format docs bench train-open clean

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

# Films and photographs that dover-open learns from; docs/model-card-dover-open.md names them.
SOURCES ?= sources
OPEN := build/dover-open
LEARN := $(BIN)/dover train --labels $(OPEN)/labels.csv --videos $(OPEN)/clips -m dover-open --end-to-end \
	--backbone-rate 1 --flip --together 8 --precision bfloat16 --compile

train-open: environment  ## make the weights of dover-open anew: hours on two cores
	$(BIN)/python -m dover_plugin.training.synthetic make $(SOURCES) $(OPEN)
	$(LEARN) -o $(OPEN)/small --init scratch --clip-len 2 --window 128 --draws 8 \
		--epochs 180 --batch-size 32 --learning-rate 0.0008 --validate-every 12
	$(LEARN) -o $(OPEN)/whole --init $(OPEN)/small/split-1/model.safetensors --clip-len 8 \
		--epochs 6 --batch-size 32 --learning-rate 0.0003
	$(BIN)/python -m dover_plugin.training.synthetic pack $(OPEN)/whole/split-1/model.safetensors $(OPEN)/labels.csv
	rm -f $(OPEN)/scores.jsonl
	$(BIN)/dover evaluate $(OPEN)/labels.csv --videos $(OPEN)/clips --scores $(OPEN)/scores.jsonl
	$(BIN)/python -m dover_plugin.training.synthetic examine $(OPEN)/labels.csv $(OPEN)/scores.jsonl

.PHONY: environment
environment:
	@$(BOOT) tools/bootstrap.py dev fiftyone vapoursynth openvino onnx train synthetic report

clean:
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache
