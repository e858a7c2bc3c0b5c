"""The assistant speaks first: to open the conversation, or to break a long silence. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from voicebot_local.providers.base import RECOGNIZER_RATE

CALM_S = 0.5
"""Nobody may have spoken for so long before the conversation is opened (s)."""


class PrompterSettings(BaseModel):
    """`[prompter]`: when the assistant speaks unasked; seconds of audio. Off unless set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    opening: str = Field(
        "", description='Said when the conversation begins, unless you speak first; "" is nothing.'
    )
    opening_instruction: str = Field(
        "",
        description="What the chat model is told to open the conversation with, where there is no "
        "`opening`.",
    )
    silence_s: float = Field(
        0.0,
        ge=0,
        le=86_400,
        description="Break a silence of this length (s); 0 never does. Shorter is more company, "
        "and more interruption of thoughts.",
    )
    silence_text: str = Field(
        "", description='Said then; with "" the chat model finds the words, as it is told.'
    )
    silence_instruction: str = Field(
        "(I have been silent for a while. Say something short and friendly, or ask me something.)",
        min_length=1,
        description="What the chat model is told then, as if you had said it.",
    )
    at_most: int = Field(
        2, ge=0, description="So many silences are broken in a conversation, not more; 0: no limit."
    )
    interval_s: float = Field(
        60.0,
        ge=0,
        le=86_400,
        description="Between two of them at least so much time passes (s); longer intrudes less.",
    )


NEVER = PrompterSettings()
"""The assistant does not speak unasked."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """Say `text`; where that is "", what the chat model answers to `instruction`."""

    text: str
    instruction: str


class Prompter:
    """Decides when the assistant speaks unasked. It is asked only while nobody speaks or is about
    to be answered, so it never speaks over the user."""

    def __init__(self, settings: PrompterSettings) -> None:
        self._settings = settings
        opens = bool(settings.opening or settings.opening_instruction)
        self._opening = Prompt(settings.opening, settings.opening_instruction) if opens else None
        self._broken = 0
        self._broken_at: int | None = None
        self._quiet_from = 0

    def busy(self, position: int) -> None:
        """Somebody speaks at `position`, or did until then: the silence begins anew."""
        self._quiet_from = position

    def due(self, position: int, *, begun: bool) -> Prompt | None:
        """What to say at `position`, where nobody has spoken since `busy`, if anything.

        `begun`: there was a turn already, so it is too late to open the conversation.
        """
        settings = self._settings
        quiet_s = (position - self._quiet_from) / RECOGNIZER_RATE
        opening, self._opening = self._opening, None if begun else self._opening
        if opening is not None and not begun and quiet_s >= CALM_S:
            self._opening = None
            return opening
        if not settings.silence_s or quiet_s < settings.silence_s:
            return None
        if settings.at_most and self._broken >= settings.at_most:
            return None
        since = self._broken_at
        if since is not None and position - since < settings.interval_s * RECOGNIZER_RATE:
            return None
        self._broken, self._broken_at = self._broken + 1, position
        return Prompt(settings.silence_text, settings.silence_instruction)
