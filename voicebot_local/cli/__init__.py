"""The command line: one file a command. They parse, call and print; there is no logic here."""

from __future__ import annotations

import errno
import os
import sys
from typing import NoReturn

from voicebot_local.errors import ConfigError, InputError, VoicebotError

EXIT_INTERRUPTED = 130
EXIT_NO_READER = 141


def main() -> NoReturn:
    """Run the program. What goes wrong is said in one sentence with its mend, on stderr.

    Exit codes: 0 done, 1 a device, model or provider failed, 2 the user's input was wrong,
    130 ended by Ctrl-C, 141 nobody reads the output any more.
    """
    try:
        # Imported here, so that Ctrl-C during the second that it takes is no trace either.
        from voicebot_local.cli.app import app

        app(prog_name="voicebot-local")
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except Exception as error:
        if isinstance(first_cause(error), BrokenPipeError):
            _end_without_reader()
        sys.exit(_report(error))
    sys.exit(0)


def _end_without_reader() -> NoReturn:
    """Whoever read our output has gone (`voicebot-local run | head`): end as other tools do."""
    # What is still buffered would fail once more when Python closes the stream.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(EXIT_NO_READER)


def _report(error: Exception) -> int:
    """Say on stderr what went wrong; returns the exit code."""
    if "--debug" in sys.argv[1:]:
        import traceback

        traceback.print_exc()
    cause = first_cause(error)
    if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT):
        print("voicebot-local: The disk that is written to is full.", file=sys.stderr)
        print("Make room on it, or write somewhere else.", file=sys.stderr)
        return 1
    if not isinstance(cause, VoicebotError):
        print(
            f"voicebot-local: an error of the program itself: {type(cause).__name__}: {cause}\n"
            "Please report it with what the same command prints with --debug.",
            file=sys.stderr,
        )
        return 1
    print(f"voicebot-local: {cause.message}", file=sys.stderr)
    if cause.mend:
        print(cause.mend, file=sys.stderr)
    return 2 if isinstance(cause, ConfigError | InputError) else 1


def first_cause(error: BaseException) -> BaseException:
    """The error that a person should hear of: in a group, the first one of ours, else the first."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    causes = [first_cause(one) for one in error.exceptions]
    return next((cause for cause in causes if isinstance(cause, VoicebotError)), causes[0])
