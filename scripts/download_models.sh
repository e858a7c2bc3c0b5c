#!/usr/bin/env bash
# Download models: the same as `voicebot-local models download`, from a checkout where nothing is
# set up yet. Ask it: scripts/download_models.sh --help
set -euo pipefail
cd "$(dirname "$0")/.."
[ -x .venv/bin/voicebot-local ] || scripts/setup.sh starter
exec .venv/bin/voicebot-local models download "$@"
