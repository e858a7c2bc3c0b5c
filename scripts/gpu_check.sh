#!/usr/bin/env bash
# Check and measure the local stack on this machine's GPU; results go to docs/measurements/<gpu>.*
#
#   scripts/gpu_check.sh [PART...] [--list] [--cpu] [--again] [--limit-s 570]
#   scripts/gpu_check.sh --pack DIR [--python 3.12] [--have FILE] [--most-mb 45]
#                                        put into DIR/1, DIR/2 ... what a machine without a network
#                                        lacks: packages, and llama.cpp's source; FILE is what it has
#   scripts/gpu_check.sh --take          only install the wheels, such as a portion of them
#
# A run stops by itself before ten minutes are over, and writes each result as soon as it is known:
# start it again until it says that nothing is left. --cpu tries the script itself, on the processor
# with tiny models. Nothing is downloaded (but by --pack).
#
# What it runs with: .venv where there is one that has torch; else VOICEBOT_PYTHON, or python3, whose
# own torch is used, with the wheels in VOICEBOT_WHEELS (or ./wheels) on top. These are installed into
# .cache/gpu-check, once, and may come in portions: each start takes what is there and not yet taken.
# Where llama.cpp has no library there for the device, its source among the wheels is built, once.
set -euo pipefail
cd "$(dirname "$0")/.."

WHEELS=${VOICEBOT_WHEELS:-wheels}
CACHE=$PWD/.cache/gpu-check
export PIP_DISABLE_PIP_VERSION_CHECK=1

say() { printf '%s\n' "gpu_check: $*" >&2; }
fail() { printf '%s\n' "gpu_check: $*" >&2; exit 2; }

# --- pack: on a machine with a network ------------------------------------------------------------
if [ "${1:-}" = --pack ]; then
  [ -x .venv/bin/python ] || fail "run scripts/setup.sh local dev first: its versions are packed"
  exec .venv/bin/python -m scripts.gpu_check.pack "${@:2}"
fi

# --- the Python to run with ---------------------------------------------------------------------
has() { "$1" -c "import importlib.util as u, sys; sys.exit(not all(map(u.find_spec, sys.argv[1:])))" "${@:2}" 2>/dev/null; }
if [ -x .venv/bin/python ] && has .venv/bin/python torch; then
  python=$PWD/.venv/bin/python
else
  base=${VOICEBOT_PYTHON:-python3}
  has "$base" torch || fail "neither .venv nor $base has torch: run scripts/setup.sh local dev, or name a Python that has it in VOICEBOT_PYTHON"
  python=$CACHE/venv/bin/python
  if [ ! -e "$CACHE/venv/taken" ]; then
    mkdir -p "$CACHE"
    "$base" -m venv --clear --without-pip "$CACHE/venv"
    # What $base has is behind what is installed here. It may be a virtual environment itself.
    "$base" -c 'import sys
print(*(f"import site; site.addsitedir({one!r})" for one in sys.path if one.endswith("-packages")), sep="\n")' \
      >"$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/behind.pth"
    touch "$CACHE/venv/taken"
  fi
  new=()
  while IFS= read -r wheel; do
    grep -qxF "${wheel##*/}" "$CACHE/venv/taken" || new+=("$wheel")
  done < <(find "$WHEELS" -name '*.whl' 2>/dev/null | sort)
  if [ ${#new[@]} -gt 0 ]; then
    say "installing ${#new[@]} wheels from $WHEELS"
    "$base" -m pip --python "$python" install -q --no-index --no-deps --no-compile --ignore-installed "${new[@]}" ||
      fail "a wheel in $WHEELS is not for this Python"
    printf '%s\n' "${new[@]##*/}" >>"$CACHE/venv/taken"
  fi
fi
if [ "${1:-}" = --take ]; then exit 0; fi
export PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH}

# --- llama.cpp for this device --------------------------------------------------------------------
device=cuda works='import llama_cpp, sys; sys.exit(not llama_cpp.llama_supports_gpu_offload())'
case " $* " in
  *" --list "*) device=none ;;
  *" --cpu "*) device=cpu works='import llama_cpp' ;;
  *) command -v nvidia-smi >/dev/null || device=none ;;
esac
if [ $device != none ] && [ -z "${LLAMA_CPP_LIB_PATH:-}" ]; then
  lib=$CACHE/llama-$device
  source=$(find "$WHEELS" -name llama.cpp-trimmed.tar.gz 2>/dev/null | head -1) || true
  if [ ! -e "$lib/ready" ] && [ -n "$source" ] && ! "$python" -c "$works" 2>/dev/null; then
    capability=""
    if [ $device = cuda ]; then
      capability=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -1 | tr -d .)
      command -v nvcc >/dev/null || fail "llama.cpp has no CUDA here, and there is no nvcc to build it"
    fi
    say "building llama.cpp for this device ($device${capability:+, compute capability $capability}), once"
    "$python" -m scripts.gpu_check.llama_build "$source" "$lib" --cuda "$capability" >/dev/null ||
      fail "bring a llama-cpp-python that has ${device^^} instead, or its libraries by LLAMA_CPP_LIB_PATH"
    LLAMA_CPP_LIB_PATH=$lib/bin "$python" -m tests.engines.cuda_llama_child --gpu-is $device >/dev/null ||
      fail "the llama.cpp that was built here does not answer; bring another by LLAMA_CPP_LIB_PATH"
    touch "$lib/ready"
  fi
  if [ -e "$lib/ready" ]; then export LLAMA_CPP_LIB_PATH=$lib/bin; fi
fi

exec "$python" -m scripts.gpu_check "$@"
