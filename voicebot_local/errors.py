"""Everything that can go wrong on purpose, as one tree.

    VoicebotError                 one clear sentence (`str(e)`), and how to mend it (`e.mend`)
    ├── ConfigError               a configuration file, key or command-line value is wrong
    ├── InputError                a file of the user's cannot be read or written
    ├── DeviceError               a microphone or loudspeaker is missing, busy or refuses
    ├── ModelError                a model file is missing, damaged or of the wrong kind
    ├── OutOfMemory               a model does not fit in the memory that is free
    └── ProviderError             a recognizer, chat model or synthesizer failed while working
        ├── ProviderUnavailable   it died, or cannot be reached
        ├── ProviderTimeout       it did not answer in time
        └── ProtocolViolation     it answered something that makes no sense

A failed turn becomes an event and the session lives on; anything else ends the program with the
sentence and the mend on stderr and a non-zero exit.
"""

from __future__ import annotations


class VoicebotError(Exception):
    """Base of all errors that are shown to a person.

    `message` is one sentence that says what is wrong, with the file, key or device by name.
    `mend` is one sentence that says what to do about it; it may be empty.
    """

    def __init__(self, message: str, mend: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.mend = mend


class ConfigError(VoicebotError):
    """A configuration file, key or command-line value is wrong."""


class InputError(VoicebotError):
    """A file of the user's cannot be read or written."""


class DeviceError(VoicebotError):
    """A microphone or loudspeaker is missing, busy or refuses what is asked of it."""


class ModelError(VoicebotError):
    """A model file is missing, damaged or of the wrong kind."""


class OutOfMemory(VoicebotError):
    """A model does not fit in the memory that is free."""


class ProviderError(VoicebotError):
    """A recognizer, chat model or synthesizer failed while working.

    `provider` is its configured name; `retryable` says whether the next call may succeed.
    """

    def __init__(
        self, provider: str, message: str, mend: str = "", *, retryable: bool = True
    ) -> None:
        super().__init__(message, mend)
        self.provider = provider
        self.retryable = retryable


class ProviderUnavailable(ProviderError):
    """The provider died, or cannot be reached."""


class ProviderTimeout(ProviderError):
    """The provider did not answer in time."""


class ProtocolViolation(ProviderError):
    """The provider answered something that makes no sense."""


def first_line(error: BaseException) -> str:
    """What `error` says, in a line; its kind where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
