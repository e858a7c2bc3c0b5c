"""The `[turn]` section of the configuration: every threshold of turn-taking, and what it trades."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class TurnSettings(BaseModel):
    """Thresholds of the turn machine; seconds are seconds of audio, never of the wall clock."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Literal["open", "push-to-talk"] = Field(
        "open",
        description='Who begins a turn: "open" hears all speech, "push-to-talk" only what follows '
        "the space bar.",
    )
    talk_wait_s: float = Field(
        5.0,
        gt=0,
        le=60,
        description="In push-to-talk, how long speech may take to begin after the space bar (s); "
        "longer leaves more time to think, and the microphone open after a slip.",
    )
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
        description="Silence that ends a turn of which nothing else is known (s); shorter answers "
        "sooner and cuts people off.",
    )
    eager_silence_s: float = Field(
        0.2,
        gt=0,
        le=10,
        description="Silence after which a reply is prepared, inaudibly, where nothing else is "
        "known (s); shorter hides more of the work and throws more of it away.",
    )
    least_silence_s: float = Field(
        0.3,
        gt=0,
        le=10,
        description="No turn ends after less silence, however sure it seems (s); shorter answers "
        "commands sooner and forgives a wrong guess less.",
    )
    most_silence_s: float = Field(
        2.0,
        gt=0,
        le=30,
        description="Every turn ends after so much silence, however unfinished it seems (s); "
        "longer lets people think, and lets those wait who trailed off.",
    )
    pause_s: float = Field(
        0.5,
        gt=0,
        le=5,
        description="A speaker's usual pause within a turn, before theirs are known (s). Waits "
        "grow with it; evidence counts in it.",
    )
    least_pause_s: float = Field(
        0.35,
        gt=0,
        le=5,
        description="The usual pause of the quickest speaker (s); lower answers them sooner.",
    )
    most_pause_s: float = Field(
        0.8,
        gt=0,
        le=5,
        description="The usual pause of the slowest speaker (s); higher waits for them longer.",
    )
    pause_memory: float = Field(
        0.9,
        ge=0,
        le=1,
        description="How much of the usual pause stays at each new pause (0 to 1); lower follows "
        "the speaker sooner, and their accidents; 1 does not adapt.",
    )
    language: str = Field(
        "en",
        min_length=2,
        description="The language of the words that tell whether a turn is finished, and of those "
        "that are said into a reply.",
    )
    unfinished_words: float = Field(
        2.5,
        ge=0,
        le=10,
        description='How strongly "and", "the", "um" at the end keep a turn open (usual pauses '
        "more of silence); lower answers those sooner who trail off.",
    )
    finished_words: float = Field(
        1.0,
        ge=0,
        le=10,
        description='How strongly a whole command or answer, "stop" or "yes", ends a turn (usual '
        "pauses less of silence); a complete question counts half. Higher cuts off who says more.",
    )
    least_confidence: float = Field(
        0.35,
        ge=0,
        le=1,
        description="Words understood with less confidence end no turn sooner (0 to 1); higher is "
        "slower with a recognizer that is often unsure. 0 trusts all.",
    )
    transcript_lag_s: float = Field(
        0.3,
        ge=0,
        le=5,
        description="How far a partial transcript may be behind the sound (s); it ends no turn "
        "sooner than this. Lower trusts a recognizer that is quick.",
    )
    smart_turn: Path = Field(
        Path("smart-turn-v3.2-cpu.onnx"),
        description="The Smart Turn model, which hears whether a turn is finished; without the "
        "file, silence and words decide.",
    )
    score_every_s: float = Field(
        0.1,
        ge=0.05,
        le=5,
        description="How often it judges a pause (s); less often takes less processor time.",
    )
    smart_turn_threshold: float = Field(
        0.1,
        gt=0,
        lt=1,
        description="The score of Smart Turn that says nothing either way (probability); higher "
        "waits longer.",
    )
    hosted_threshold: float = Field(
        0.4,
        gt=0,
        lt=1,
        description="The same for the end-of-turn score of a hosted recognizer.",
    )
    score_weight: float = Field(
        0.5,
        ge=0,
        le=5,
        description="How much scores count (usual pauses of silence for a unit of log-odds); 0 "
        "ignores them.",
    )
    most_for: float = Field(
        0.5,
        ge=0,
        le=10,
        description="The most that scores shorten the silence (usual pauses); more answers sooner, "
        "and believes a detector that is sure and wrong.",
    )
    most_against: float = Field(
        2.5,
        ge=0,
        le=10,
        description="The most that scores lengthen it (usual pauses); less is quicker where the "
        "detector hears no end.",
    )
    max_revisions: int = Field(
        3,
        ge=0,
        le=20,
        description="Replies that may be prepared in one turn before it is over; more hides more "
        "of the work and wastes more of it. 0 prepares none.",
    )
    draft_s: float = Field(
        4.0,
        gt=0,
        le=30,
        description="Speech that is prepared before the turn is over, at the most (s); less wastes "
        "less where the user goes on.",
    )
    rejoin_s: float = Field(
        8.0,
        ge=0,
        le=8,
        description="When the user goes on after a pause, what was said in this time before is "
        "recognized again with it (s): fewer wrong words, more work. 0 never does.",
    )
    read_ahead: bool = Field(
        True,
        description="Let the chat model read what was understood while the user still speaks; "
        "false saves the work.",
    )
    barge_in_s: float = Field(
        0.09,
        gt=0,
        le=5,
        description="Speech over a reply that makes it pause (s), counted in windows of 32 ms; "
        "shorter reacts sooner, and to more noises.",
    )
    barge_in_words: int = Field(
        2,
        ge=1,
        le=10,
        description="Words that stop the paused reply; fewer yields to misheard noises.",
    )
    barge_in_confidence: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Below this confidence of the recognizer such words do not stop it; higher "
        "takes more of them for noises. Recognizers differ.",
    )
    barge_in_words_s: float = Field(
        0.0,
        ge=0,
        le=5,
        description="How long such words must last (s), unless they are a whole question; higher "
        "takes more short ones for misheard signs of listening. 0 believes them all.",
    )
    barge_in_speech_s: float = Field(
        0.8,
        ge=0,
        le=5,
        description="Speech that stops it where the recognizer gives no words in time (s); shorter "
        "yields to laughter. 0 yields to words alone.",
    )
    barge_in_wait_s: float = Field(
        2.0,
        gt=0,
        le=10,
        description="Without enough of either it goes on after so long (s); shorter repeats itself "
        "into people who begin slowly.",
    )
    answer_s: float = Field(
        0.7,
        ge=0,
        le=5,
        description="Words over the last so much of a reply that ends with a question are the "
        "answer to it, whatever they are (s); more takes signs of listening for answers.",
    )
    stop_words: tuple[str, ...] = Field(
        (), description="Words and phrases that stop a reply at once, instead of the language's."
    )
    backchannels: tuple[str, ...] = Field(
        (),
        description="Words and phrases that only show that somebody listens, instead of the "
        "language's; a reply goes on after them.",
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
