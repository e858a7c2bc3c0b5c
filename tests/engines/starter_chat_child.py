"""Asks the chat model that ships, in a process of its own, and prints what it said as JSON.

    python -m tests.engines.starter_chat_child MODEL < questions.json

`questions.json`: conversations, each a list of user turns. llama.cpp and the voice detector each
bring a ggml of their own and do not live in one process, so the tests do not load it in theirs.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from scripts.make_fixtures.chat.corpus import load_corpus
from scripts.make_fixtures.chat.evaluate import (
    ChatModel,
    follow_up_cases,
    garbled_cases,
    slot_cases,
    topic_cases,
    unknown_cases,
    wrong_ones,
)


def main() -> None:
    corpus = load_corpus()
    system = corpus.speech.systems[0]
    model = ChatModel(Path(sys.argv[1]))
    sets = {
        "topics": topic_cases(corpus),
        "slots": slot_cases(corpus, most_keys=4),
        "follow-ups": follow_up_cases(corpus),
        "unknown": unknown_cases(corpus),
        "garbled": garbled_cases(corpus),
    }
    shares = {
        name: 1 - len(list(wrong_ones(model, cases, system))) / len(cases)
        for name, cases in sets.items()
    }
    answers: list[list[str]] = []
    for conversation in json.load(sys.stdin):
        said = [("system", system)]
        answers.append([])
        for question in conversation:
            said.append(("user", question))
            answers[-1].append(model.reply(said))
            said.append(("assistant", answers[-1][-1]))
    model.close()
    json.dump({"shares": shares, "answers": answers}, sys.stdout)


if __name__ == "__main__":
    main()
