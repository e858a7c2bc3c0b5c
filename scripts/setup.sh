#!/usr/bin/env bash
# Set voicebot-local up in .venv. Safe to run again, and after an interruption.
#
#   scripts/setup.sh [starter] [local] [hosted] [dev] [--force]        (starter, when nothing is said)
#
# starter  pocketsphinx, llama.cpp, espeak-ng: no GPU and no download of models
# local    NeMo, llama.cpp, Coqui XTTS with torch: several GB of libraries
# hosted   the client libraries of hosted services (no account is needed to install them)
# dev      what the tests and `make check` need
#
# VOICEBOT_PYTHON names the Python to use; VOICEBOT_CUDA=0 builds for the CPU although there is a GPU.
set -euo pipefail
cd "$(dirname "$0")/.."

LLAMA=llama-cpp-python==0.3.36
CUDA_WHEELS=https://abetlen.github.io/llama-cpp-python/whl/cu125
TORCH_CPU_WHEELS=https://download.pytorch.org/whl/cpu
STAMP=.venv/voicebot-setup
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

say() { printf '%s\n' "setup: $*"; }
fail() { printf '%s\n' "setup: $*" >&2; exit 1; }

force=no wanted=""
for word in "$@"; do
  case $word in
    starter|local|hosted|dev) wanted="$wanted $word" ;;
    --force) force=yes ;;
    *) fail "'$word' is unknown; say any of: starter local hosted dev --force" ;;
  esac
done
wanted=${wanted:- starter}

# What is installed already stays installed, so that `make run` and `make test` share one .venv.
sha() { if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi; }
key=$(cat pyproject.toml constraints.txt scripts/setup.sh | sha | cut -c1-16)
have="" stamped=""
if [ -f $STAMP ] && [ -x .venv/bin/python ]; then read -r stamped have <$STAMP || true; fi
missing=no
for extra in $wanted; do case " $have " in *" $extra "*) ;; *) missing=yes ;; esac; done
if [ $force = no ] && [ $missing = no ] && [ "$stamped" = "$key" ]; then exit 0; fi
extras=$(printf '%s\n' $have $wanted | sort -u | tr '\n' ' ')
extras=${extras% }

# Two set-ups at once would tear each other's .venv apart.
mkdir -p .cache
if command -v flock >/dev/null; then
  exec 9>.cache/setup.lock
  flock -n 9 || { say "another set-up is running here; waiting for it"; flock 9; }
fi
say "setting up: $extras"
trap 'echo; fail "stopped; run this again and it goes on from here"' INT TERM

# --- Python ------------------------------------------------------------------------------------
fits='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))'
python=""
for candidate in ${VOICEBOT_PYTHON:-python3.11 python3.12 python3 python}; do
  if "$candidate" -c "$fits" >/dev/null 2>&1; then python=$candidate; break; fi
done
[ -n "$python" ] || fail "Python 3.11 or 3.12 is needed and was not found. Debian or Ubuntu:
  sudo apt-get install python3 python3-venv     macOS: brew install python@3.12
or name one: VOICEBOT_PYTHON=/path/to/python3.12 $0 $wanted"

# --- System packages ---------------------------------------------------------------------------
needed=""
command -v cc >/dev/null && command -v c++ >/dev/null || needed="$needed build-essential"
"$python" -c 'import ensurepip, venv' 2>/dev/null || needed="$needed python3-venv"
sound=yes
if [ "$(uname -s)" = Linux ]; then
  "$python" -c 'import ctypes.util as u, sys; sys.exit(u.find_library("portaudio") is None)' || {
    sound=no; needed="$needed libportaudio2"; }
fi
if [ -n "$needed" ]; then
  line="apt-get install -y --no-install-recommends$needed"
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    say "installing system packages:$needed"
    { apt-get -qq update && DEBIAN_FRONTEND=noninteractive $line -qq; } >.cache/apt.log 2>&1 ||
      say "that did not work (see .cache/apt.log)"
  elif [ "$needed" = " libportaudio2" ]; then
    say "no microphone or loudspeaker without this (recordings work): sudo $line"
  elif command -v apt-get >/dev/null; then
    fail "system packages are missing; run this, then this script again:
  sudo $line"
  elif [ "$(uname -s)" = Darwin ]; then
    fail "a C++ compiler is missing; run this, then this script again:  xcode-select --install"
  else
    fail "these are missing; install them (named here as Debian does), then run this again:$needed"
  fi
  command -v cc >/dev/null && command -v c++ >/dev/null || fail "a C++ compiler is still missing"
fi

# --- Virtual environment -----------------------------------------------------------------------
if ! .venv/bin/python -c "$fits; import pip" >/dev/null 2>&1 || ! .venv/bin/python -m pip --version >/dev/null 2>&1
then
  say "making .venv with $("$python" --version)"
  rm -rf .venv
  "$python" -m venv .venv
fi
rm -f $STAMP
pip="$PWD/.venv/bin/python -m pip"
# Older versions of pip see a conflict between the pins of `local` where there is none.
if ! $pip --version | grep -qE '^pip (2[6-9]|[3-9][0-9])\.'; then $pip install -q --upgrade 'pip>=26'; fi

# --- llama.cpp ---------------------------------------------------------------------------------
# Its package holds only source, so this is the one thing that is compiled here (2 to 10 minutes).
gpu=no
if [ "${VOICEBOT_CUDA:-1}" != 0 ] && command -v nvidia-smi >/dev/null &&
  nvidia-smi -L 2>/dev/null | grep -q '^GPU '; then gpu=yes; fi
llama_gpu='import llama_cpp, sys; sys.exit(not llama_cpp.llama_supports_gpu_offload())'
llama_ok() {
  $pip list --format=freeze 2>/dev/null | grep -qi '^llama[-_]cpp[-_]python==0\.3\.36' || return 1
  if [ $gpu = yes ]; then .venv/bin/python -c "$llama_gpu" 2>/dev/null || [ -f .venv/llama-cpu ]
  else .venv/bin/python -c 'import llama_cpp' 2>/dev/null; fi
}
progress() { # Reads the log of a compile; shows how far it is and keeps the rest for a failure.
  local line shown="" now
  while IFS= read -r line; do
    printf '%s\n' "$line" >>.cache/llama.log
    now=""
    if [[ $line =~ \[([0-9]+)/([0-9]+)\] ]]; then
      now="$((100 * BASH_REMATCH[1] / BASH_REMATCH[2]))"
    elif [[ $line =~ \[\ *([0-9]+)%\] ]]; then now=${BASH_REMATCH[1]}
    fi
    [ -n "$now" ] || continue
    if [ -t 1 ]; then printf '\rsetup: compiling llama.cpp  %3d %% ' "$now"
    elif [ "$((now / 10))" != "$shown" ]; then say "compiling llama.cpp  $now %"; fi
    shown=$((now / 10))
  done
  if [ -t 1 ] && [ -n "$shown" ]; then printf '\n'; fi
}
compile_llama() { # compile_llama "CMake options"
  local flags=$1 cache
  # pip's own cache forgets with which options a wheel was built: one cache directory per set.
  cache=${XDG_CACHE_HOME:-$HOME/.cache}/voicebot-local/pip-$(printf '%s' "$flags" | sha | cut -c1-12)
  : >.cache/llama.log
  say "getting llama.cpp and compiling it: 2 to 10 minutes, once (it is kept in $cache)"
  CMAKE_ARGS=$flags CMAKE_BUILD_PARALLEL_LEVEL=${CMAKE_BUILD_PARALLEL_LEVEL:-$(getconf _NPROCESSORS_ONLN)} \
    $pip install -v --cache-dir "$cache" -c constraints.txt $LLAMA 2>&1 | progress
}
if ! llama_ok; then
  rm -f .venv/llama-cpu
  flags="-DLLAVA_BUILD=OFF"
  # Plain AVX2: code built for exactly this processor has crashed in virtual machines, which
  # announce instructions (AMX) that they do not let a program use.
  if grep -qs avx2 /proc/cpuinfo; then flags="$flags -DGGML_NATIVE=OFF"; fi
  if [ $gpu = yes ]; then
    say "NVIDIA GPU found; trying the ready-made CUDA build of llama.cpp first"
    $pip install -q --retries 1 --only-binary=:all: --no-deps --index-url "$CUDA_WHEELS" $LLAMA \
      >.cache/llama.log 2>&1 && .venv/bin/python -c "$llama_gpu" 2>/dev/null || {
        $pip uninstall -q -y llama-cpp-python >/dev/null 2>&1 || true
        if command -v nvcc >/dev/null; then
          compile_llama "$flags -DGGML_CUDA=ON -DGGML_CUDA_NCCL=OFF -DCMAKE_CUDA_ARCHITECTURES=native" ||
            say "the CUDA build failed (see .cache/llama.log)"
        else
          say "the CUDA compiler (nvcc) is missing"
        fi
      }
    if ! llama_ok; then
      say "LLAMA.CPP WILL RUN ON THE CPU. For the GPU: install the CUDA toolkit, then $0 --force"
      touch .venv/llama-cpu
    fi
  fi
  llama_ok || compile_llama "$flags" || {
    tail -n 25 .cache/llama.log >&2
    fail "llama.cpp could not be built; the whole log is in .cache/llama.log"
  }
fi

# --- Everything else ---------------------------------------------------------------------------
index=""
case " $extras " in *" local "*)
  # The torch on PyPI for Linux brings several GB of CUDA; without a GPU take the CPU build.
  if [ $gpu = no ] && [ "$(uname -s)" = Linux ] && .venv/bin/python - "$TORCH_CPU_WHEELS/torch/" <<'PY'
import sys, urllib.request
try:
    urllib.request.urlopen(sys.argv[1], timeout=5).close()
except OSError:
    sys.exit(1)
PY
  then index="--extra-index-url $TORCH_CPU_WHEELS"; fi ;;
esac
say "installing the libraries"
$pip install $index --prefer-binary -c constraints.txt -e ".[${extras// /,}]" >.cache/pip.log 2>&1 &
job=$!
trap 'kill $job 2>/dev/null; echo; fail "stopped; run this again and it goes on from here"' INT TERM
if [ -t 1 ]; then
  while kill -0 $job 2>/dev/null; do
    printf '\r\033[K%.100s' "setup: $(tail -n 1 .cache/pip.log | tr -d '\r')"; sleep 1
  done
  printf '\r\033[K'
fi
wait $job || { tail -n 15 .cache/pip.log >&2; fail "pip failed; the whole log is in .cache/pip.log"; }
trap - INT TERM

printf '%s %s\n' "$key" "$extras" >$STAMP
say "done$([ $gpu = yes ] && printf ' (NVIDIA GPU in use)')"
