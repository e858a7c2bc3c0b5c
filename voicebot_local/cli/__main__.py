"""`python -m voicebot_local.cli` is the same as `voicebot-local`."""

from voicebot_local.cli import main

main()
