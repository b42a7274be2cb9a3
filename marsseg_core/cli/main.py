"""The `marsseg` command."""

from __future__ import annotations

import importlib
import io
import os
import sys
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

from ..errors import MarssegError, RequestError, RunError
from ..registry.distribution import version
from .bash import whole_words
from .output import EXIT_INTERRUPTED, print_error, print_text, say
from .verbosity import messages_on_standard_error, takes_verbosity

# Each is a module of this package with a function of the same name, in which _ stands for -.
COMMANDS: Final = ("run", "predict", "evaluate", "compare", "list", "show", "doctor", "new-plugin")
# Each is a package with such modules of its own.
COMMAND_GROUPS: Final = ("data",)


class _MarssegGroup(TyperGroup):
    """Turns what marsseg raises on purpose into a panel and an exit code, and has the commands of plugins too."""

    _added: dict[str, Any] | None = None

    def list_commands(self, ctx: Any) -> list[str]:
        return [*super().list_commands(ctx), *self._added_commands(ctx)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return super().get_command(ctx, cmd_name) or self._added_commands(ctx).get(cmd_name)

    def _added_commands(self, ctx: Any) -> dict[str, Any]:
        """No built-in command waits for them: they are imported once one is asked for that is not."""
        if self._added is None:
            from .added import added_commands

            with messages_on_standard_error():
                self._added = added_commands(self.commands, quiet=ctx.resilient_parsing)
        return self._added

    def invoke(self, ctx: Any) -> Any:
        with messages_on_standard_error():
            return self._invoke(ctx)

    def _invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except MarssegError as error:
            print_error(error, with_traceback=ctx.params.get("traceback", False))
            raise typer.Exit(error.exit_code) from None
        except MemoryError as cause:
            shortage = RunError(f"There is not enough memory: {cause}", hint="Try fewer or smaller images, or batches.")
            print_error(shortage, with_traceback=ctx.params.get("traceback", False))
            raise typer.Exit(shortage.exit_code) from None
        except KeyboardInterrupt:
            say("Interrupted.")
            raise typer.Exit(EXIT_INTERRUPTED) from None


class _Command(TyperCommand):
    """Refuses an option that is given twice, where the parser would silently take the last."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        repeatable = {name for param in self.params if getattr(param, "multiple", False) for name in param.opts}
        seen: set[str] = set()
        for word in args:
            option = word.partition("=")[0]
            if option in seen and option not in repeatable and not ctx.resilient_parsing:
                raise RequestError(f"{option} is given twice.", where=ctx.info_name, hint="Keep one of the two.")
            if option.startswith("--"):
                seen.add(option)
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_MarssegGroup,
    name="marsseg",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print_text(f"marsseg {version()}")
        raise typer.Exit


@app.callback()
def marsseg(
    traceback: Annotated[bool, typer.Option("--traceback", help="Show where an error was raised.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Segmentation networks for Mars terrain, by name: train, score and compare them."""


for _command in COMMANDS:
    _function = _command.replace("-", "_")
    _module = importlib.import_module(f".{_function}", __package__)
    app.command(_command, cls=_Command)(takes_verbosity(getattr(_module, _function)))

for _name in COMMAND_GROUPS:
    _package = importlib.import_module(f".{_name}", __package__)
    _group = typer.Typer(name=_name, help=_package.HELP, no_args_is_help=True, rich_markup_mode="markdown")
    for _command in _package.COMMANDS:
        _module = importlib.import_module(f".{_name}.{_command}", __package__)
        _group.command(_command, cls=_Command)(takes_verbosity(getattr(_module, _command)))
    app.add_typer(_group)


def main() -> None:
    """The console script."""
    # TensorFlow's failures are exceptions too; what is left to print, where a plugin imports it, is about its build.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for stream in (sys.stdout, sys.stderr):
        # A sign that a narrow encoding lacks is no reason to fail.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    with whole_words():
        app(prog_name="marsseg")
