"""The `marsseg` command: all commands, and how their errors become messages and exit codes."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

from ..errors import MarssegError, RequestError, RunError
from ..failures import memory_error
from ..files.configuration import without_files
from ..messages import log_waiting
from ..networks.processes import joined
from ..printable import printable
from ..registry.distribution import version
from ..registry.kinds import PLAN_KINDS
from ..registry.source_code import docstring_of
from .bash import whole_words
from .configured import configured, name_file, read_defaults, settle, take_defaults, wrong_default
from .lazy import LazyCommands, take_unset_options_as_they_are
from .output import EXIT_INTERRUPTED, print_error, print_text, say
from .shells import for_shells
from .signals import signals_interrupt
from .standard_output import keep_for_results, output_failure, reserve_standard_output
from .streams import make_streams_lasting
from .verbosity import (
    Quiet,
    Verbose,
    messages_on_standard_error,
    set_verbosity,
    take_verbosity_before,
    takes_verbosity,
)
from .words import command_meant, other_words_for_options, refuse_spaces_in_lists

# Each command is a function in a module of this package with the same name (with _ instead of -).
COMMANDS: Final = (
    "run",
    "sweep",
    "ablate",
    "predict",
    "evaluate",
    "export",
    "pack",
    "check",
    "report",
    "compare",
    "board",
    "list",
    "show",
    "doctor",
    "new-plugin",
    "env",
    "help",
)
# Each group is a package with such modules.
COMMAND_GROUPS: Final = ("data",)

# Commands that help with broken configuration files, and go on without them.
_WITHOUT_CONFIGURATION: Final = ("env", "help")
_WAY_ROUND: Final = "Correct the file, or leave out all of them: marsseg --no-config …"


@contextmanager
def _printable_usage_errors() -> Iterator[None]:
    """Escape control characters in the messages that Typer prints itself, about the use of options and commands."""
    try:
        yield
    except Exception as error:
        if isinstance(getattr(error, "message", None), str):
            error.message = printable(error.message)  # type: ignore[attr-defined]
        raise


def _complete_help(command: Any, context: Any) -> None:
    from .help_text import complete

    complete(command.get_params(context), context)


class _Group(TyperGroup):
    """A group of commands whose help is completed like that of commands, and that knows other words for them."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command that the words name."""
        name = args[0]
        if not (ctx.resilient_parsing or name.startswith("-") or self.get_command(ctx, name)):
            ctx.fail(f"No such command {name!r}. {command_meant(name, self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help of the options and the names of the commands."""
        _complete_help(self, ctx)
        super().format_help(ctx, formatter)


class _MarssegGroup(_Group):
    """A group of commands that shows marsseg's errors as panels with exit codes, and includes plugins' commands."""

    _added: dict[str, Any] | None = None

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        self.commands: Any = LazyCommands((*COMMANDS, *COMMAND_GROUPS), _built_in)

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of all commands, including those of plugins."""
        return [*super().list_commands(ctx), *self._added_commands(ctx)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command by name; None if there is none. Plugins are loaded only if it is not built in."""
        return super().get_command(ctx, cmd_name) or self._added_commands(ctx).get(cmd_name)

    def _added_commands(self, ctx: Any) -> dict[str, Any]:
        """Load the commands of plugins at the first call. Built-in commands do not wait for this."""
        if self._added is None:
            from .added import added_commands

            with messages_on_standard_error():
                self._added = added_commands(self.commands, quiet=ctx.resilient_parsing)
        return self._added

    def make_context(self, *args: Any, **values: Any) -> Any:
        """Parse all words, with printable messages."""
        with _printable_usage_errors():
            return super().make_context(*args, **values)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the options before the name of the command."""
        take_unset_options_as_they_are(self.get_params(ctx))
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command that the words name, and the defaults that the configuration files give its options."""
        name, command, rest = super().resolve_command(ctx, args)
        if command is not None and not ctx.resilient_parsing:
            try:
                read_defaults(ctx, self, str(name), command, rest)
            except MarssegError as error:
                if name not in _WITHOUT_CONFIGURATION and {"-h", "--help"}.isdisjoint(rest):
                    error.hint = error.hint or _WAY_ROUND
                    raise
                configured(ctx).problem = error
        return name, command, rest

    def invoke(self, ctx: Any) -> Any:
        """Run the command with marsseg's messages on standard error, and turn errors into exit codes."""
        files = without_files() if ctx.params.get("no_config") else nullcontext()
        with files, messages_on_standard_error(), _printable_usage_errors():
            return self._invoke(ctx)

    def _invoke(self, ctx: Any) -> Any:
        try:
            set_verbosity(ctx.params.get("verbose", False), ctx.params.get("quiet", False))
            return super().invoke(ctx)
        except MarssegError as error:
            name_file(error, ctx)
            print_error(error, with_traceback=ctx.params.get("traceback", False))
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            log_waiting()
            say("Interrupted.")
            raise typer.Exit(EXIT_INTERRUPTED) from None
        except Exception as cause:
            known = wrong_default(cause, ctx) or memory_error(cause)
            if known is None:
                raise
            known.__cause__ = cause
            print_error(known, with_traceback=ctx.params.get("traceback", False))
            raise typer.Exit(known.exit_code) from None


class _Command(TyperCommand):
    """A command that refuses repeated options. The parser alone would silently use the last one."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Check for repeated options, then parse the arguments."""
        repeatable = {name for param in self.params if getattr(param, "multiple", False) for name in param.opts}
        seen: set[str] = set()
        for word in args:
            option = word.partition("=")[0]
            if option in seen and option not in repeatable and not ctx.resilient_parsing:
                hint = "Remove one of the two."
                if "--vary" in repeatable and option in {f"--{kind.option}" for kind in PLAN_KINDS}:
                    hint += f" To try both: --vary {option[2:]}=A --vary {option[2:]}=B."
                raise RequestError(f"{option} is used twice.", where=ctx.info_name, hint=hint)
            if option.startswith("--"):
                seen.add(option)
        take_unset_options_as_they_are(self.get_params(ctx))
        refuse_spaces_in_lists(args)
        args = take_defaults(ctx, args)
        with other_words_for_options(self.params):
            rest = super().parse_args(ctx, args)
        settle(ctx)
        take_verbosity_before(ctx)
        return rest

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help, with the values that a plan has by default."""
        from rich.console import Console

        from .narrow_help import COLUMNS, print_narrow_help

        _complete_help(self, ctx)
        if (console := Console()).width < COLUMNS:
            print_narrow_help(self, ctx, console)
        else:
            super().format_help(ctx, formatter)

    def invoke(self, ctx: Any) -> Any:
        """Run the command. From now on, only its results go to standard output."""
        keep_for_results()
        return super().invoke(ctx)


app = typer.Typer(
    cls=_MarssegGroup,
    name="marsseg",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(requested: bool) -> None:
    if requested:
        print_text(f"marsseg {version()}")
        raise typer.Exit


def marsseg(
    traceback: Annotated[bool, typer.Option("--traceback", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", "-V", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    no_config: Annotated[bool, typer.Option("--no-config", help="Ignore configuration files (marsseg.toml).")] = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Train, score and compare semantic segmentation networks for Mars terrain, by the names of their components."""


app.callback(help=docstring_of(marsseg))(marsseg)


def _built_in(name: str) -> Any:
    """Import and build a command or a group of commands."""
    module = _module(name)
    if name not in COMMAND_GROUPS:
        return _command(name, module)
    group: Any = get_group(
        typer.Typer(name=name, cls=_Group, help=module.HELP, no_args_is_help=True, rich_markup_mode="markdown")
    )
    group.commands = LazyCommands(module.COMMANDS, lambda inner: _command(inner, _module(f"{name}.{inner}")))
    return group


def _module(name: str) -> Any:
    return importlib.import_module(f".{name.replace('-', '_')}", __package__)


def _command(name: str, module: Any) -> Any:
    """Build the command of a module: its function of the same name. The docstring is the text of its help."""
    function = getattr(module, name.replace("-", "_"))
    alone = typer.Typer(add_completion=False, rich_markup_mode="markdown", pretty_exceptions_enable=False)
    alone.command(name, cls=_Command, help=docstring_of(function))(takes_verbosity(function))
    return get_command(alone)


def main() -> None:
    """Run the command line: the entry point of the `marsseg` script."""
    make_streams_lasting()
    reserve_standard_output()
    try:
        with signals_interrupt(), whole_words(), for_shells():
            app(prog_name="marsseg")
    except SystemExit as end:
        code = end.code or _code_of_output()
        if code and joined():
            _end_at_once(code)
        sys.exit(code)


def _end_at_once(code: Any) -> None:
    """End this process without its exit handlers: that of JAX would wait for processes that may have died."""
    with suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 1)


def _code_of_output() -> int:
    """Return 1, with an error, if results could not be printed. A reader that closed its pipe wants no more of them."""
    failure = output_failure()
    if failure is None or isinstance(failure, BrokenPipeError):
        return 0
    what = f"The results cannot be printed on standard output: {failure.strerror}."
    error = RunError(what, hint="Everything else is done, and all files are complete.")
    print_error(error, with_traceback=False)
    return error.exit_code
