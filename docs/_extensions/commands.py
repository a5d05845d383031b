"""The directive `command`: usage, arguments and options of one command, read from the program itself."""

from docutils import nodes
from docutils.parsers.rst import Directive


def program():
    """The command line as an object, with its commands."""
    from typer.main import get_command

    from art_training.cli.app import app

    return get_command(app)


def parameters(command):
    """Names and help of each parameter of a command that is shown to users."""
    for parameter in command.params:
        if getattr(parameter, "hidden", False):
            continue
        if parameter.param_type_name == "argument":
            yield [parameter.metavar or parameter.name.upper()], parameter.help or ""
        else:
            value = "" if parameter.is_flag else f" {parameter.metavar or 'N'}"
            yield [name + value for name in (*parameter.opts, *parameter.secondary_opts)], parameter.help or ""


def prose(text):
    """A paragraph, with what stands in backticks as code."""
    paragraph = nodes.paragraph()
    for index, part in enumerate(" ".join(text.split()).split("`")):
        paragraph += nodes.literal(text=part) if index % 2 else nodes.Text(part)
    return paragraph


class Command(Directive):
    """`{command} run` writes the options of `art run`; `{command} art` those of `art` itself."""

    required_arguments = 1

    def run(self):
        name = self.arguments[0]
        group = program()
        command = group if name == "art" else group.commands.get(name)
        if command is None:
            raise self.error(f"there is no command {name!r}; there are: {', '.join(group.commands)}")
        items = nodes.definition_list()
        for names, text in parameters(command):
            term = nodes.term()
            for index, option in enumerate(names):
                if index:
                    term += nodes.Text(", ")
                term += nodes.literal(text=option)
            items += nodes.definition_list_item("", term, nodes.definition("", prose(text)))
        return [*map(prose, (command.help or "").split("\n\n")), items]


def setup(app):
    app.add_directive("command", Command)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
