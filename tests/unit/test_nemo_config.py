"""NeMo's configuration, and what is said where NeMo is not installed. No NeMo needed."""

import subprocess
import sys

import pytest
from pydantic import ValidationError

from voicebot_local.errors import ConfigError
from voicebot_local.providers.asr import nemo
from voicebot_local.providers.asr.nemo import NemoConfig, NemoEngine


def test_only_the_model_must_be_given():
    config = NemoConfig(model="m.nemo")
    assert (config.device, config.lookahead_ms, config.decoder) == ("auto", 80, "auto")
    assert all(
        field.description for name, field in NemoConfig.model_fields.items() if name != "provider"
    )


@pytest.mark.parametrize(
    "wrong", [{"lookahead_ms": -1}, {"threads": 0}, {"lookahead": 80}, {"decoder": "beam"}]
)
def test_what_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValidationError):
        NemoConfig(model="m.nemo", **wrong)


def test_without_nemo_it_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(nemo, "find_spec", lambda package: None)
    with pytest.raises(ConfigError, match="not installed") as raised:
        NemoEngine(NemoConfig(model="m.nemo"))
    assert "voicebot-local[local]" in raised.value.mend


def test_the_provider_can_be_imported_without_its_libraries():
    code = (
        "import sys, voicebot_local.providers.asr.nemo as n; n.NemoConfig(model='m.nemo')\n"
        "sys.exit(any(name in sys.modules for name in ('torch', 'nemo', 'omegaconf')))"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
