"""Tests of voicebot_local."""
