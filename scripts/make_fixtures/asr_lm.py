"""Make the starter recognizer's language model and dictionary: models/starter/asr.{lm.gz,dict}.

    python -m scripts.make_fixtures.asr_lm                  from the chat corpus (training part)
    python -m scripts.make_fixtures.asr_lm --sentences F    from a file, one sentence a line

The domain's trigrams are mixed with the bigrams of the general English model that comes with
pocketsphinx, restricted to the likeliest words. Takes about a minute and 1 GB of memory.
"""

from __future__ import annotations

import argparse
import gzip
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from io import StringIO
from pathlib import Path

from scripts.make_fixtures.chat.corpus import load_corpus
from scripts.make_fixtures.chat.sentences import sentences as training_sentences
from scripts.make_fixtures.ngrams import Domain, General, Mixture, sentences

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "models" / "starter"
BY_HAND = Path(__file__).with_name("pronunciations.dict")

# What everybody says; a sample of the templates may miss it.
PLAIN = (
    """
hello|hi|hey|hello there|yes|no|yes please|no thanks|okay|stop|stop it|wait|why|why not|what|how
thanks|thank you|thank you very much|goodbye|bye|good night|help|help me|sorry|never mind|again
another one|one more|tell me more|go on|tell me a joke|tell me another joke|tell me a story
tell me a riddle|what can you do|what can i ask you|who are you|what are you|what is your name
who made you|how are you|how old are you|are you a robot|are you private|can you hear me
how do you work|how fast are you|do you need the internet|what time is it|what day is it
what is the weather|what is the capital of france|what is the capital of italy|play some music
""".replace("\n", "|")
    .strip("|")
    .split("|")
)

# pocketsphinx 5.1.1 writes the unigrams and bigrams of its model as text and then crashes in the
# trigrams, which are not needed here; so it does that in a process of its own.
DUMP = """
import sys, pocketsphinx as p
scale = p.LogMath(1.0001, 0, False)
p.NGramModel(p.Config(), scale, p.get_model_path("en-us/en-us.lm.bin")).write(sys.argv[1], 1)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sentences", type=Path, help="one sentence a line")
    parser.add_argument("--per-topic", type=int, default=80, help="sentences of one topic")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--weight", type=float, default=0.95, help="the domain's share")
    parser.add_argument("--words", type=int, default=6000, help="size of the vocabulary")
    parser.add_argument("--bigrams", type=int, default=60_000, help="general bigrams to keep")
    args = parser.parse_args()

    if args.sentences is None:
        corpus = load_corpus()
        lines = training_sentences(corpus, args.per_topic)
        lines += [s for s in PLAIN if not corpus.is_held_out(s)] * 20
    else:
        lines = args.sentences.read_text().splitlines()
    build(lines, args.out, args.weight, args.words, args.bigrams)


def build(lines: Iterable[str], out: Path, weight: float, words: int, bigrams: int) -> None:
    """Write `asr.lm.gz` and `asr.dict` to the folder `out`."""
    import pocketsphinx

    spoken = pronunciations(Path(pocketsphinx.get_model_path("en-us/cmudict-en-us.dict")), BY_HAND)
    said = list(sentences(lines))
    used = {word for sentence in said for word in sentence.split()}
    spoken |= possessives(used - spoken.keys(), spoken)
    if missing := used - spoken.keys():
        print(f"Left out for want of a pronunciation in {BY_HAND}: {', '.join(sorted(missing))}")
    domain = Domain(sentence for sentence in said if missing.isdisjoint(sentence.split()))
    needed = domain.words - {"</s>"}
    with tempfile.TemporaryDirectory() as folder:
        dump = Path(folder) / "general.arpa"
        subprocess.run([sys.executable, "-c", DUMP, str(dump)], check=False)
        with dump.open(errors="replace") as general_lines:
            general = General.read(general_lines, needed, words, spoken.keys())
    mixture = Mixture(domain, general, weight, bigrams)
    model = StringIO()
    mixture.write(model)
    out.mkdir(parents=True, exist_ok=True)
    # No time stamp and no file name in the header: the same input gives the same bytes.
    with (out / "asr.lm.gz").open("wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as packed:
        packed.write(model.getvalue().encode())
    vocabulary = sorted(g[0] for g in mixture.p[0] if g[0] in spoken)
    with (out / "asr.dict").open("w") as file:
        for word in vocabulary:
            for number, phones in enumerate(spoken[word], 1):
                file.write(f"{word}{f'({number})' if number > 1 else ''} {phones}\n")
    sizes = " + ".join(str(len(level)) for level in mixture.p)
    print(f"{sizes} n-grams, {(out / 'asr.lm.gz').stat().st_size} bytes")


def pronunciations(*files: Path) -> dict[str, list[str]]:
    """Every word's pronunciations. Words in a later file replace those of an earlier one."""
    known: dict[str, list[str]] = {}
    for file in files:
        here: dict[str, list[str]] = {}
        for line in file.read_text().splitlines():
            word, _, phones = line.partition(" ")
            if phones and not line.startswith("#"):
                here.setdefault(word.partition("(")[0], []).append(phones.strip())
        known.update(here)
    return known


def possessives(words: Iterable[str], spoken: dict[str, list[str]]) -> dict[str, list[str]]:
    """Pronunciations of those words that end in 's and whose stem has one."""
    made: dict[str, list[str]] = {}
    for word in words:
        stem, apostrophe, end = word.partition("'")
        if (apostrophe, end) == ("'", "s") and stem in spoken:
            made[word] = [phones + _ending(phones.split()[-1]) for phones in spoken[stem]]
    return made


def _ending(phone: str) -> str:
    if phone in {"S", "Z", "SH", "ZH", "CH", "JH"}:
        return " IH Z"
    return " S" if phone in {"P", "T", "K", "F", "TH"} else " Z"


if __name__ == "__main__":
    main()
