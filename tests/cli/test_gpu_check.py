"""`scripts/gpu_check.sh`: what it does without a GPU, and one part of it on the processor."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import gguf
import pytest
from packaging.requirements import Requirement

from scripts.contention_broker import SWITCH, SwitchedArbiter
from scripts.gpu_check.__main__ import in_order
from scripts.gpu_check.bars import bars, page
from scripts.gpu_check.llama_build import flags
from scripts.gpu_check.pack import fits, needed, portions, read_have
from scripts.make_fixtures.chat.bpe import SPECIAL_TOKENS
from scripts.make_fixtures.full_size_gguf import token_type
from voicebot_local.gpu.arbiter import Grant
from voicebot_local.gpu.queue import Outlook, Request
from voicebot_local.paths import CHECKOUT

SCRIPT = CHECKOUT / "scripts" / "gpu_check.sh"


def run(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", SCRIPT, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | environment,
    )


def test_without_a_gpu_it_says_so_in_one_sentence(tmp_path: Path) -> None:
    done = run("--work", tmp_path, CUDA_VISIBLE_DEVICES="-1")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == (
        "This machine has no NVIDIA GPU that can be used; "
        "--cpu tries the script on the processor.\n"
    )


def test_parts_are_listed_and_unknown_ones_refused(tmp_path: Path) -> None:
    done = run("--list", "--work", tmp_path)
    names = [line.split()[0] for line in done.stdout.splitlines()]
    assert names[:5] == ["environment", "models", "tts", "llm", "asr"]
    assert {"tests", "memory", "contention", "conversation"} < set(names)
    done = run("nothing", "--cpu", "--work", tmp_path)
    assert done.returncode == 2
    assert "there is no part nothing" in done.stderr


@pytest.mark.timeout(300)
def test_a_part_on_the_processor_survives_being_cut(tmp_path: Path) -> None:
    words = ("llm", "--cpu", "--work", tmp_path)
    cut = run(*words, "--limit-s", 0)
    assert cut.returncode == 4
    assert "start this again" in cut.stdout
    done = run(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads((tmp_path / "cpu.json").read_text())
    found = told["items"]
    assert [bar["what"] for bar in told["bars"]] == ["chat model: first token, prompt prefilled"]
    values = found["llm.our engine and llama-cpp-python's"]
    for arm in ("ours", "stock"):
        assert values[f"{arm}_first_token_ms_20_words"] > 0
        assert values[f"{arm}_tokens_per_s"] > 0
    assert found["environment.machine"]["cores"] == os.cpu_count()
    page = (tmp_path / "cpu.md").read_text()
    assert "no figure counts" in page
    assert "## llm" in page
    # What is known is not measured again.
    again = run(*words)
    assert (again.returncode, again.stdout) == (0, "")


@pytest.mark.parametrize("architecture", ["", "90"])
def test_llama_cpp_is_never_built_for_exactly_this_processor(architecture: str) -> None:
    """Such code dies of AMX in virtual machines that announce it and do not allow it."""
    built = flags(architecture, "x86_64")
    assert "-DGGML_NATIVE=OFF" in built
    assert ("-DGGML_CUDA=ON" in built) == bool(architecture)
    assert ("-DCMAKE_CUDA_ARCHITECTURES=90" in built) == bool(architecture)
    assert "-DGGML_NATIVE=OFF" not in flags(architecture, "aarch64")


def test_what_a_machine_has_in_a_version_that_fits_stays_behind() -> None:
    have = read_have("torch==2.11.0+cu130\nTransformers==5.17.0\nnumpy==2.5.2\nsix\n")
    assert have["torch"] == "2.11.0"
    exact, least = (
        [Requirement("transformers==5.23.0")],
        [Requirement("numpy>=2"), Requirement("numpy")],
    )
    assert not fits(have.get("transformers"), exact)
    assert fits(have.get("numpy"), least)
    assert fits(have["six"], [Requirement("six")])
    assert not fits(have.get("scipy"), [Requirement("scipy")])
    names = {package.name.lower() for package in needed("3.12", have)}
    assert {"transformers", "coqui-tts", "nemo-toolkit", "pytest"} <= names
    assert not names & {"torch", "torchaudio", "numpy", "six", "voicebot-local", "wandb"}


def test_portions_hold_everything_and_not_too_much(tmp_path: Path) -> None:
    sizes = [30, 20, 20, 10, 5, 70]
    files = [tmp_path / str(number) for number in range(len(sizes))]
    for file, size in zip(files, sizes, strict=True):
        file.write_bytes(bytes(size))
    found = portions(files, 50)
    assert sorted(file for portion in found for file in portion) == files
    assert [sum(file.stat().st_size for file in portion) for portion in found] == [70, 50, 35]


def test_the_broker_of_the_contention_can_let_all_contend() -> None:
    arbiter = SwitchedArbiter(1.0, 10.0)
    chat, voice = Request(1, "llm", 0.0), Request(2, "tts", 0.0)
    assert arbiter.request(chat, 0.0) == [Grant(1)]
    assert Grant(2) not in arbiter.request(voice, 0.0)
    arbiter.withdraw(2, 0.0)
    arbiter.release(1, 0.0)
    free, brokered = Outlook(speculative=True), Outlook()
    arbiter.look_ahead(SWITCH, free, 0.0)
    assert arbiter.request(chat, 0.0) == [Grant(1)]
    assert arbiter.request(voice, 0.0) == [Grant(2)]
    with pytest.raises(RuntimeError, match="at work"):
        arbiter.look_ahead(SWITCH, brokered, 0.0)
    arbiter.release(1, 0.0)
    arbiter.gone(2, 0.0)
    arbiter.look_ahead(SWITCH, brokered, 0.0)
    assert arbiter.request(chat, 0.0) == [Grant(1)]
    assert Grant(2) not in arbiter.request(voice, 0.0)


def test_bars_are_held_against_what_was_measured() -> None:
    def speech(own: float) -> dict[str, object]:
        return {"lengths": [{"own": {"first_audio_ms": own}, "stock": {"first_audio_ms": 200.0}}]}

    items: dict[str, dict[str, object]] = {
        "tts.float16": speech(50.0),
        "tts.float32": speech(100.0),
        "llm.both": {
            "ours_first_token_ms_20_words": 10.0,
            "ours_first_token_ms_400_words": 20.0,
            "ours_tokens_per_s": 100.0,
        },
        "asr.115m": {"own": {"chunk_ms": 8.0, "last_ms": 6.0}},
        "asr.0.6b": {"own": {"chunk_ms": 20.0, "last_ms": 20.0}},
        "asr.broken": {"error": "it said nothing"},
        "contention.all": {
            "rounds": [
                {"brokered": {"first audio": 1.2}, "alone": {"first audio": 1.0}},
                {"brokered": {"first audio": 1.0}, "alone": {"first audio": 1.0}},
                {"brokered": {"first audio": 2.0}, "alone": {"first audio": 1.0}},
            ]
        },
    }
    found = {bar.what: (bar.measured, bar.is_met) for bar in bars(items)}
    assert found == {
        "synthesizer: first audio, float16": (50.0, True),
        "the same, over the library's, float16": (4.0, True),
        "synthesizer: first audio, float32": (100.0, False),
        "the same, over the library's, float32": (2.0, False),
        "chat model: first token, prompt prefilled": (20.0, True),
        "recognizer: a chunk, 115m": (8.0, True),
        "recognizer: a chunk, 0.6b": (20.0, False),
        "first audio, chat model flat out, over alone": (1.2, False),
        # 10 + 200 + 20 (the slower recognizer's) + 20 + 9 tokens of 10 ms + 50 × 1.2 + 20
        "voice to voice, predicted": (420.0, False),
    }
    assert "| voice to voice, predicted | 420 ms | ≤ 400 ms | **missed** |" in page(items)
    assert page({}) == ""


def test_the_first_item_of_every_part_is_done_before_any_second() -> None:
    items = ["environment.machine", "models.a", "models.b", "tts.half", "tts.full", "llm.both"]
    items += ["memory.half", "memory.full"]
    assert in_order(items) == [*items[:4], "llm.both", "memory.half", "tts.full", "memory.full"]


def test_a_header_of_the_full_size_model_is_not_spelled_out() -> None:
    """What is left to read after the user's turn is measured; spelled out it is four times that."""
    tokens = [*SPECIAL_TOKENS, "a", "<unused_1>"]
    control = [token for token in tokens if token_type(token) is gguf.TokenType.CONTROL]
    assert control == list(SPECIAL_TOKENS)
