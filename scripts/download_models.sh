#!/usr/bin/env bash
# Download the models of the local stack into models/. Ask it: scripts/download_models.sh --help
set -euo pipefail
cd "$(dirname "$0")/.."
[ -x .venv/bin/python ] || scripts/setup.sh starter
python=.venv/bin/python
if ! $python -c 'import huggingface_hub' 2>/dev/null; then
  # The starter has no need of the hub's client, so it gets an environment of its own.
  python=.cache/hub/bin/python
  if ! $python -c 'import huggingface_hub' 2>/dev/null; then
    echo "download: getting the hub's client"
    mkdir -p .cache
    .venv/bin/python -m venv --clear .cache/hub
    $python -m pip install -q --disable-pip-version-check -c constraints.txt huggingface_hub
  fi
fi
exec $python scripts/download_models.py "$@"
