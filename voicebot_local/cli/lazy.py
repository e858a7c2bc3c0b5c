"""Commands that are imported when they are wanted, so that `--help` and completion are quick."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, MutableMapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

if TYPE_CHECKING:
    from typer._click import Command, Context, HelpFormatter, Parameter

LAST = "last"
"""What `--continue` means where no number follows it."""


class Listed(NamedTuple):
    """A command as `--help` lists it, under `group`.

    `path` is "module:name" of a function, or of a typer app for a command that has commands. The
    function's module may have EXAMPLES: lines that its `--help` ends in.
    """

    group: str
    name: str
    path: str
    help: str


def plain_app(**settings: Any) -> typer.Typer:
    """A typer app that leaves errors to `voicebot_local.cli.main`, and help as it is written."""
    settings = {"add_completion": False, "no_args_is_help": True} | settings
    return typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None, **settings)


def lazy_group(listed: Sequence[Listed]) -> type[TyperGroup]:
    """A group of these commands, each under its heading."""

    class Lazy(TyperGroup):
        def __init__(self, **attributes: Any) -> None:
            super().__init__(**attributes)
            self.commands = _Commands(listed)

        def list_commands(self, ctx: Context) -> list[str]:  # noqa: ARG002
            return [each.name for each in listed]

        def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:  # noqa: ARG002
            width = max(len(each.name) for each in listed)
            for heading in dict.fromkeys(each.group for each in listed):
                mine = [each for each in listed if each.group == heading]
                with formatter.section(heading):
                    formatter.write_dl([(each.name.ljust(width), each.help) for each in mine])

        def format_epilog(self, ctx: Context, formatter: HelpFormatter) -> None:  # noqa: ARG002
            _write_as_it_is(self.epilog, formatter)

    return Lazy


class OneCommand(TyperCommand):
    """A command whose examples keep their lines, and whose `--continue` may stand alone."""

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        if any("--continue" in parameter.opts for parameter in self.params):
            args = list(_with_last(args))
        return super().parse_args(ctx, args)

    def format_epilog(self, ctx: Context, formatter: HelpFormatter) -> None:  # noqa: ARG002
        _write_as_it_is(self.epilog, formatter)


class _Commands(MutableMapping[str, "Command"]):
    """The commands by name, each made when it is first asked for."""

    def __init__(self, listed: Sequence[Listed]) -> None:
        self._listed = {each.name: each for each in listed}
        self._made: dict[str, Command] = {}

    def __getitem__(self, name: str) -> Command:
        if name not in self._made:
            self._made[name] = _make(self._listed[name])
        return self._made[name]

    def __setitem__(self, name: str, command: Command) -> None:
        self._made[name] = command

    def __delitem__(self, name: str) -> None:
        del self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._listed)

    def __len__(self) -> int:
        return len(self._listed)


def _make(listed: Listed) -> Command:
    path, _, name = listed.path.partition(":")
    module = importlib.import_module(path)
    found = getattr(module, name)
    if not isinstance(found, typer.Typer):
        app = plain_app(no_args_is_help=False)
        app.command(listed.name, cls=OneCommand, epilog=getattr(module, "EXAMPLES", None))(found)
        found = app
    command = typer.main.get_command(found)
    _give_debug(command)
    return command


def _give_debug(command: Command) -> None:
    """Every command has `--debug`, for `voicebot_local.cli.main` to see."""
    if isinstance(command, TyperGroup):
        for each in command.commands.values():
            _give_debug(each)
    elif not any("--debug" in parameter.opts for parameter in command.params):
        command.params.append(_debug_option())


def _debug_option() -> Parameter:
    app = plain_app()

    @app.command()
    def nothing(
        debug: Annotated[bool, typer.Option("--debug", help="Show traces of errors.")] = False,
    ) -> None:
        pass

    (option,) = (each for each in typer.main.get_command(app).params if "--debug" in each.opts)
    option.expose_value = False
    return option


def _with_last(args: Sequence[str]) -> Iterator[str]:
    for at, word in enumerate(args, 1):
        yield word
        if word == "--continue" and not "".join(args[at : at + 1]).isdecimal():
            yield LAST


def _write_as_it_is(epilog: str | None, formatter: HelpFormatter) -> None:
    if epilog:
        formatter.write(f"\n{epilog.strip()}\n")
