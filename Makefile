# Each target sets up all that it needs: Python 3.11 or newer with pip, make, and a package index are enough.

# uv keeps the locked environment in .venv. Where it is missing, or does not run, pip brings it into .tools (which needs
# neither a writable HOME nor a system that lets pip install into it).
UV := $(if $(shell uv --version 2>/dev/null),uv,.tools/bin/uv)
BRING_UV := $(filter .tools/bin/uv,$(UV))
# --locked: the environment is uv.lock, or it is an error. `uv run` installs what is missing and removes nothing, so that
# targets which need less do not undo what others installed.
RUN := $(UV) run --locked

.DEFAULT_GOAL := help
.PHONY: help demo test check format bench reference docs clean

help:  ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /|/' | awk -F'|' '{ printf "make %-10s %s\n", $$1, $$2 }'

demo: $(BRING_UV)  ## simulate 100,000 exchanges, scan them, print what was found and write demo/report.html
	$(RUN) --no-default-groups stillwatch demo

test: $(BRING_UV)  ## run the tests
	$(RUN) pytest

check: $(BRING_UV)  ## lint, formatting, types, and the order of imports
	$(RUN) ruff check
	$(RUN) ruff format --check
	$(RUN) mypy
	$(RUN) lint-imports

format: $(BRING_UV)  ## format the code and sort its imports
	$(RUN) ruff check --fix
	$(RUN) ruff format

bench: $(BRING_UV)  ## measure the sketch against DuckDB hashing the same column
	$(RUN) python -m bench.sketch

reference: $(BRING_UV)  ## write docs/reference and the schema of findings.json from the code
	$(RUN) python -m tools.reference

docs: $(BRING_UV)  ## build the documentation into site/, where a broken link is an error
	NO_MKDOCS_2_WARNING=1 $(RUN) --group docs mkdocs build --strict --quiet

clean:  ## remove what the targets made
	rm -rf .venv .tools site demo build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .benchmarks

.tools/bin/uv:
	python3 -m pip install --quiet --disable-pip-version-check --target .tools uv
