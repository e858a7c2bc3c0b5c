#!/usr/bin/env bash
# Formatting, lint and types, in the order in which they are quick to mend.
set -e
cd "$(dirname "$0")/.."
scripts/setup.sh starter hosted dev
.venv/bin/ruff format --check .
.venv/bin/ruff check .
.venv/bin/mypy
