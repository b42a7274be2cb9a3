"""The command line as Click sees it."""

from typer.main import get_command

from marsseg_core.cli.main import app


def commands():
    """The words of each command → its options."""
    found = {(): get_command(app)}
    for name, command in found[()].commands.items():
        found[name,] = command
        found |= {(name, inner): one for inner, one in getattr(command, "commands", {}).items()}
    return {
        words: {opt for p in command.params for opt in (*p.opts, *p.secondary_opts) if opt[0] == "-"}
        for words, command in found.items()
    }
