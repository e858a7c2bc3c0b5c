#!/usr/bin/env bash
# Check and measure the local stack on this machine's GPU; results go to docs/measurements/<gpu>.*
#
#   scripts/gpu_check.sh [PART...] [--list] [--cpu] [--again] [--limit-s 570]
#   scripts/gpu_check.sh --pack DIR      put into DIR what a machine without a network may lack:
#                                        the pure-Python packages of .venv, and llama.cpp's source
#
# A run stops by itself before ten minutes are over, and writes each result as soon as it is known:
# start it again until it says that nothing is left. --cpu tries the script itself, on the processor
# with tiny models. Nothing is downloaded (but by --pack).
#
# What it runs with: .venv where there is one that has torch; else VOICEBOT_PYTHON, or python3, whose
# own torch, NeMo and coqui-tts are used, with the wheels in VOICEBOT_WHEELS (or ./wheels) on top. Where
# llama.cpp has no CUDA there, and nvcc is, its source in the same place is built for this GPU once.
set -euo pipefail
cd "$(dirname "$0")/.."

LLAMA=llama-cpp-python==0.3.36
WHEELS=${VOICEBOT_WHEELS:-wheels}
CACHE=$PWD/.cache/gpu-check
SOURCE=llama.cpp-trimmed.tar.gz
export PIP_DISABLE_PIP_VERSION_CHECK=1

say() { printf '%s\n' "gpu_check: $*" >&2; }
fail() { printf '%s\n' "gpu_check: $*" >&2; exit 2; }

# --- pack: on a machine with a network ------------------------------------------------------------
if [ "${1:-}" = --pack ]; then
  [ -n "${2:-}" ] || fail "--pack wants a directory"
  out=$2; mkdir -p "$out"
  out=$(cd "$out" && pwd); pip=.venv/bin/pip; [ -x $pip ] || fail "run scripts/setup.sh local dev first: its versions are packed"
  .venv/bin/python -m scripts.gpu_check.pack "$out"
  LLAMA_SOURCE=$(mktemp -d); trap 'rm -rf "$LLAMA_SOURCE"' EXIT
  $pip download -q --no-deps --no-binary :all: -d "$LLAMA_SOURCE" $LLAMA
  tar -xzf "$LLAMA_SOURCE"/llama_cpp_python-*.tar.gz -C "$LLAMA_SOURCE"
  (cd "$LLAMA_SOURCE"/llama_cpp_python-*/vendor/llama.cpp
   rm -rf vendor/cpp-httplib vendor/*httplib*
   find ggml/src -mindepth 1 -maxdepth 1 -type d ! -name ggml-cpu ! -name ggml-cuda -exec rm -rf {} +
   tar -czf "$LLAMA_SOURCE/$SOURCE" CMakeLists.txt ggml src include cmake vendor LICENSE licenses)
  cp "$LLAMA_SOURCE/$SOURCE" "$out"
  say "$(du -sh "$out" | cut -f1) in $out"
  exit 0
fi

# --- the Python to run with ---------------------------------------------------------------------
has() { "$1" -c "import importlib.util as u, sys; sys.exit(not all(map(u.find_spec, sys.argv[1:])))" "${@:2}" 2>/dev/null; }
if [ -x .venv/bin/python ] && has .venv/bin/python torch; then
  python=$PWD/.venv/bin/python
else
  base=${VOICEBOT_PYTHON:-python3}
  has "$base" torch || fail "neither .venv nor $base has torch: run scripts/setup.sh local dev, or name a Python that has it in VOICEBOT_PYTHON"
  python=$CACHE/venv/bin/python
  if [ ! -e "$CACHE/venv/ready" ]; then
    mkdir -p "$CACHE"
    "$base" -m venv --clear --system-site-packages "$CACHE/venv"
    if compgen -G "$WHEELS/*.whl" >/dev/null; then
      say "installing the wheels in $WHEELS"
      "$python" -m pip install -q --no-index --no-deps "$WHEELS"/*.whl || fail "a wheel in $WHEELS is not for this Python"
    fi
    touch "$CACHE/venv/ready"
  fi
fi
export PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH}

# --- llama.cpp for this GPU ---------------------------------------------------------------------
case " $* " in *" --cpu "*|*" --list "*) gpu=no ;; *) gpu=yes ;; esac
if [ $gpu = yes ] && command -v nvidia-smi >/dev/null && [ -z "${LLAMA_CPP_LIB_PATH:-}" ]; then
  lib=$CACHE/llama
  if [ ! -e "$lib/ready" ] && [ -e "$WHEELS/$SOURCE" ] && command -v nvcc >/dev/null && command -v cmake >/dev/null; then
    architecture=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -1 | tr -d .)
    say "building llama.cpp for this GPU (compute capability $architecture), once"
    rm -rf "$lib"; mkdir -p "$lib/source"
    tar -xzf "$WHEELS/$SOURCE" -C "$lib/source"
    cmake -S "$lib/source" -B "$lib/build" -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=ON \
      -DLLAMA_BUILD_COMMON=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_TOOLS=OFF -DLLAMA_BUILD_EXAMPLES=OFF \
      -DLLAMA_BUILD_SERVER=OFF -DLLAMA_BUILD_APP=OFF -DGGML_CUDA=ON -DGGML_CUDA_NCCL=OFF -DCMAKE_CUDA_ARCHITECTURES="$architecture" \
      >"$lib/build.log" 2>&1 &&
      cmake --build "$lib/build" -j "$(nproc)" >>"$lib/build.log" 2>&1 || fail "llama.cpp was not built; see $lib/build.log"
    LLAMA_CPP_LIB_PATH=$lib/build/bin "$python" -m tests.engines.cuda_llama_child >/dev/null ||
      fail "the llama.cpp that was built here does not answer; install llama-cpp-python with CUDA instead"
    touch "$lib/ready"
  fi
  if [ -e "$lib/ready" ]; then export LLAMA_CPP_LIB_PATH=$lib/build/bin; fi
fi

exec "$python" -m scripts.gpu_check "$@"
