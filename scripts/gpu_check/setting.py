"""What is checked: models of the published shapes on the GPU, or tiny ones on the processor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from voicebot_local.paths import CHECKOUT

DATA = CHECKOUT / "tests" / "data"
PROFILE = """\
backend = "local"

[recognizer]
model = "{recognizer}"
device = "{device}"
{threads}

[chat]
model = "{chat}"
context_tokens = {context}
max_reply_tokens = {reply}
gpu_layers = {layers}
seed = 1
{threads}

[synthesizer]
model = "{synthesizer}"
voice = "Test Voice"
device = "{device}"
precision = "{precision}"
seed = 1
{threads}

[gpu]
parking = "{parking}"
"""


@dataclass(frozen=True, slots=True)
class Setting:
    """`work` is where models and logs lie; `tiny`: on the processor, with models for tests."""

    work: Path
    tiny: bool

    @property
    def device(self) -> str:
        return "cpu" if self.tiny else "cuda"

    @property
    def recognizers(self) -> tuple[str, ...]:
        return ("tiny",) if self.tiny else ("115m", "0.6b")

    @property
    def recognizer_runs(self) -> tuple[str, ...]:
        """Which of them is measured, and in which precision; the first counts most."""
        if self.tiny:
            return ("tiny float32",)
        return ("0.6b float32", "115m float32", "0.6b bfloat16")

    @property
    def precisions(self) -> tuple[str, ...]:
        """Of the synthesizer's GPT; the first is what whole conversations run with."""
        return ("float32",) if self.tiny else ("float16", "float32")

    @property
    def rounds(self) -> int:
        """How often a measurement is repeated."""
        return 1 if self.tiny else 5

    def recognizer(self, name: str) -> Path:
        return DATA / "nemo_tiny.nemo" if self.tiny else self._made(f"fastconformer-{name}")

    @property
    def chat(self) -> Path:
        return CHECKOUT / "models" / "starter" / "chat.gguf" if self.tiny else self._chat()

    def _chat(self) -> Path:
        return self._made("llama-3.1-8b")

    @property
    def synthesizer(self) -> Path:
        return self.work / "xtts_tiny" if self.tiny else self._made("xtts-v2")

    def _made(self, model: str) -> Path:
        from scripts.make_fixtures.full_size import file_name

        return self.work / "models" / file_name(model)

    def models(self) -> dict[str, Callable[[], Path]]:
        """What must be made before anything else, by name; what is there is left alone."""
        if self.tiny:
            return {"xtts-tiny": self._tiny_xtts}

        def full(model: str) -> Callable[[], Path]:
            def run() -> Path:
                from scripts.make_fixtures.full_size import make

                return make(model, self.work / "models")

            return run

        from scripts.make_fixtures.full_size import NEEDED

        return {model: full(model) for model in NEEDED}

    def needed_by(self, part: str) -> frozenset[str]:
        """Names of the models that a part cannot do without."""
        known = frozenset(self.models())
        match part:
            case "environment" | "tests":
                return frozenset()
            case "asr" | "llm" | "tts":
                begins = {"asr": "fastconformer", "llm": "llama", "tts": "xtts"}[part]
                return frozenset(name for name in known if name.startswith(begins))
            case _:
                return known

    def _tiny_xtts(self) -> Path:
        from scripts.make_fixtures.xtts_tiny import make_tiny_xtts

        out = self.synthesizer
        return out if out.exists() else make_tiny_xtts(out)

    def config(self, parking: str = "never", precision: str | None = None) -> Path:
        """A configuration of the whole stack, written to a file."""
        file = self.work / f"{parking}-{precision or self.precisions[0]}.toml"
        file.write_text(
            PROFILE.format(
                recognizer=self.recognizer(self.recognizers[-1]),
                chat=self.chat,
                context=512 if self.tiny else 8192,
                reply=24 if self.tiny else 120,
                layers=0 if self.tiny else -1,
                synthesizer=self.synthesizer,
                device=self.device,
                precision=precision or self.precisions[0],
                parking=parking,
                threads="threads = 1" if self.tiny else "",
            )
        )
        return file
