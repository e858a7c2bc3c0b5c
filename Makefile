# `make run` sets up what is missing and talks; `make test` sets up and runs the tests.
.PHONY: run test check clean

run:
	@scripts/setup.sh starter
	@.venv/bin/voicebot-local run $(ARGS)

# Two processes, a file at a time, in order: the long files come first. Plain `pytest` works too.
test:
	@scripts/setup.sh starter local hosted dev
	.venv/bin/pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

check:
	@scripts/check.sh

# Model weights in models/ and what was compiled (in the user's cache directory) stay.
clean:
	rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
