"""The `[turn]` section of the configuration: every threshold of turn-taking, and what it trades."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class TurnSettings(BaseModel):
    """Thresholds of the turn machine; seconds are seconds of audio, never of the wall clock."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    vad_threshold: float = Field(
        0.5, gt=0, lt=1, description="Speech begins at this voice probability; higher misses more."
    )
    vad_negative_threshold: float = Field(
        0.35, gt=0, lt=1, description="Below this probability a window counts as silence."
    )
    start_speech_s: float = Field(
        0.1,
        gt=0,
        le=2,
        description="Speech needed to start a turn (s); shorter reacts sooner, and to clicks.",
    )
    end_silence_s: float = Field(
        0.7,
        gt=0,
        le=10,
        description="Silence that ends a turn (s); shorter answers sooner and cuts people off.",
    )
    eager_silence_s: float = Field(
        0.2,
        gt=0,
        le=10,
        description="Silence after which a reply is prepared, inaudibly (s); shorter hides more of "
        "the work and throws more of it away.",
    )
    barge_in_s: float = Field(
        0.25,
        gt=0,
        le=5,
        description="Speech that stops a reply (s); shorter yields sooner, and to coughs.",
    )
    part_s: float = Field(
        60.0,
        gt=1,
        le=600,
        description="A longer utterance is handed to the recognizer in parts of this length (s).",
    )
    preroll_s: float = Field(
        0.5,
        ge=0,
        le=5,
        description="Audio kept from before speech was detected (s), so no syllable is lost.",
    )
