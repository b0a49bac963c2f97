# Any Python starts the work; tools/bootstrap.py then finds one that the project can use.
BOOT := $(shell command -v python3 || command -v python)
BIN := .venv/bin

.PHONY: demo test lint format docs bench train-open clean

demo:  ## score a clip and show the result
	@$(BOOT) tools/bootstrap.py
	@$(BIN)/python examples/demo.py

# Two processes, each with half of the cores; a file's tests stay together.
PARALLEL := --numprocesses 2 --dist loadfile

test: lint  ## lint, type-check and test everything
	@$(BOOT) tools/system_programs.py
	$(BIN)/python -m pytest $(PARALLEL) --ignore tests/vs_filter
	$(BIN)/python -m pytest $(PARALLEL) tests/vs_filter

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
# Each so-many-th content; EVERY=49 tries all of it in about ten minutes, and gives weights that are no good.
EVERY ?= 1
LEARN := $(BIN)/dover train -m dover-open --labels $(OPEN)/labels.csv --videos $(OPEN)/clips --end-to-end --batch-size 64 \
	--backbone-rate 1 --optimizer muon --clip-len 2 --window 96 --flip --spoil-light --draws 1 --also 'fault_*,similarity' --own-weight 1 \
	--compile --workers 1
# First what a fault does at all, then that it does so to footage as well, then the technical branch's order of versions of one clip,
# then how much each fault weighs on contents that backbones never saw.
FIRST := --init scratch --epochs 14 --learning-rate 0.0008 --validate-every 7
THEN := --init $(OPEN)/first/split-1/model.safetensors --epochs 14 --learning-rate 0.0006 --validate-every 7 --fused-weight 2 --pair-weight 3
LAST := --init $(OPEN)/then/split-1/model.safetensors --epochs 8 --learning-rate 0.0005 --validate-every 4 --fused-weight 2 --only technical --together 4
HEADS := $(BIN)/dover train -m dover-open --labels $(OPEN)/heads.csv --videos $(OPEN)/clips --batch-size 64 --together 4 \
	--clip-len 4 --draws 1 --epochs 3 --validate-every 3 --fused-weight 2

# Large pages of memory: else up to half of the time goes into page faults.
train-open: export GLIBC_TUNABLES = glibc.malloc.hugetlb=1
train-open: environment  ## make the weights of dover-open anew: hours on two cores
	$(BIN)/python -m dover_plugin.training.synthetic make $(SOURCES) $(OPEN) --every $(EVERY)
	$(LEARN) $(FIRST) -o $(OPEN)/first
	mkdir -p $(OPEN)/then $(OPEN)/run
	ln -sfn ../first/kept $(OPEN)/then/kept && ln -sfn ../first/kept $(OPEN)/run/kept # the views are the same
	$(LEARN) $(THEN) -o $(OPEN)/then
	$(LEARN) $(LAST) -o $(OPEN)/run
	$(BIN)/python -m dover_plugin.training.synthetic mean $(OPEN)/run/split-1/model.safetensors $(OPEN)/then/split-1/model.safetensors
	$(HEADS) --init $(OPEN)/run/split-1/mean/model.safetensors -o $(OPEN)/heads
	$(BIN)/python -m dover_plugin.training.synthetic mean $(OPEN)/heads/split-1/model.safetensors $(OPEN)/run/split-1/mean/model.safetensors --share 0.7 --aesthetic-share 0.2
	$(BIN)/python -m dover_plugin.training.synthetic pack $(OPEN)/heads/split-1/mean/model.safetensors $(OPEN)/labels.csv --technical-weight 0.68
	rm -f $(OPEN)/scores.jsonl
	$(BIN)/dover evaluate $(OPEN)/labels.csv --videos $(OPEN)/clips --split test --scores $(OPEN)/scores.jsonl
	$(BIN)/python -m dover_plugin.training.synthetic examine $(OPEN)/labels.csv $(OPEN)/scores.jsonl

.PHONY: environment
environment:
	@$(BOOT) tools/bootstrap.py dev fiftyone vapoursynth openvino onnx train synthetic report ray

clean:
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache
