"""The chat model that ships, run by llama.cpp over every sentence that it was not trained on.

The floors are about five points below what was measured (models/starter/README.md).
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from scripts.make_fixtures.chat.corpus import load_corpus
from voicebot_local.paths import CHECKOUT

MODEL = CHECKOUT / "models" / "starter" / "chat.gguf"
CORPUS = load_corpus()
JOKES = next(series.answers for series in CORPUS.series if series.name == "joke")
FLOORS = {"topics": 0.78, "slots": 0.92, "follow-ups": 0.52, "unknown": 0.79, "garbled": 0.95}
WHAT_EVERYBODY_ASKS = [
    "hello",
    "how do i get the real models",
    "is it private",
    "do you need the internet",
    "can i interrupt you",
    "what is barge in",
    "what can you do",
    "which gpu do i need",
    "is this free",
]
CONVERSATIONS = [
    [("tell me a joke", JOKES[0]), ("tell me another one", JOKES[1])],
    [("tell me a joke", JOKES[0]), ("do you know another joke", JOKES[1])],
    [
        ("What is the capital of France?", "The capital of France is Paris."),
        ("and italy", "The capital of Italy is Rome."),
    ],
    [("How is the price of tea in Mongolia?", CORPUS.unknown.answer)],
    [("", "Sorry, I did not catch that.")],
]


@pytest.fixture(scope="module")
def said() -> dict[str, Any]:
    """What the model said in its own process: shares of right answers, and answers."""
    questions = [[question] for question in WHAT_EVERYBODY_ASKS]
    questions += [[question for question, _ in turns] for turns in CONVERSATIONS]
    done = subprocess.run(
        [sys.executable, "-m", "tests.engines.starter_chat_child", str(MODEL)],
        input=json.dumps(questions),
        capture_output=True,
        text=True,
        check=True,
        cwd=CHECKOUT,
    )
    heard: dict[str, Any] = json.loads(done.stdout)
    return heard


@pytest.mark.parametrize("name", FLOORS)
def test_questions_kept_out_of_training(said: dict[str, Any], name: str) -> None:
    assert said["shares"][name] >= FLOORS[name]


@pytest.mark.parametrize("number", range(len(WHAT_EVERYBODY_ASKS)))
def test_what_everybody_asks(said: dict[str, Any], number: int) -> None:
    question = WHAT_EVERYBODY_ASKS[number]
    topic = next(t for t in CORPUS.topics if question in set(t.phrases.expand()))
    assert said["answers"][number] == [topic.answer]


@pytest.mark.parametrize("number", range(len(CONVERSATIONS)))
def test_conversations(said: dict[str, Any], number: int) -> None:
    answers = said["answers"][len(WHAT_EVERYBODY_ASKS) + number]
    assert answers == [answer for _, answer in CONVERSATIONS[number]]
