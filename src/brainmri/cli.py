"""The `brainmri` command: each sub-command calls one plain function with typed arguments.

The signature and the docstring of the function are the command line and its help. Only the function
that is asked for is imported, so that `brainmri --help` starts at once.
"""

import atexit
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from inspect import Parameter, signature
from itertools import pairwise
from pathlib import Path

# sub-command: (module, whose function of the same name is called, and one line for --help). Order: as the
# stages run.
COMMANDS = {
    "phantom": ("brainmri.sources.phantom", "draw a synthetic data set with known truth"),
    "fetch": ("brainmri.sources.fetch", "bring a data set's files in, safely"),
    "checksum": ("brainmri.sources.checksum", "SHA-256 of every file, compared with the lock"),
    "inventory": ("brainmri.images.inventory", "one row a file: decoded? size, label, source split"),
    "crop": ("brainmri.images.crop", "gray, cropped and resized images in one packed array"),
    "audit": ("brainmri.audit.audit", "copies, groups of copies and label conflicts"),
    "overlap": ("brainmri.audit.overlap", "images of one data set that are copies of another's"),
    "pool": ("brainmri.audit.pool", "several data sets as one, grouped over their common copies"),
    "split": ("brainmri.splits.split", "a stratified manifest of train, val and test"),
    "train": ("brainmri.training.train", "train one model on one manifest"),
    "lr-find": ("brainmri.lr_find", "a learning rate for a recipe, with its plot"),
    "predict_split": ("brainmri.evaluation.predict_split", "calibrated probabilities for val and test"),
    "evaluate": ("brainmri.evaluation.evaluate", "metrics with intervals"),
    "plot_data": ("brainmri.evaluation.plot_data", "curves and predictions as text, for DVC"),
    "predict_external": (
        "brainmri.evaluation.predict_external",
        "what a model says of a data set that it is not from",
    ),
    "explain": ("brainmri.evaluation.explain", "maps of where a model looks, and their checks"),
    "baselines": ("brainmri.evaluation.baselines", "what is scored without a model"),
    "probes": ("brainmri.evaluation.probes", "what is learnt without looking at the lesion"),
    "compare": ("brainmri.evaluation.compare", "one table of all models and protocols"),
    "draw_dataset": ("brainmri.reporting.draw_dataset", "figures of a data set"),
    "draw_audit": ("brainmri.reporting.draw_audit", "sheets of copies, side by side"),
    "draw_quality": ("brainmri.reporting.draw_quality", "figure of a data set's odd files"),
    "draw_split": ("brainmri.reporting.draw_split", "figures of a split"),
    "draw_model": ("brainmri.reporting.draw_model", "figures of a trained model"),
    "draw_curves": ("brainmri.reporting.draw_curves", "figures of a model's curves"),
    "draw_explain": ("brainmri.reporting.draw_explain", "maps of where a model looks, drawn"),
    "draw_probes": ("brainmri.reporting.draw_probes", "figure of what each probe saw"),
    "draw_comparison": ("brainmri.reporting.draw_comparison", "figures that compare models"),
    "draw_pairs": ("brainmri.reporting.draw_pairs", "matrix of the models of a split"),
    "draw_external": ("brainmri.reporting.draw_external", "matrix of a model's data sets"),
    "report": ("brainmri.reporting.report", "one self-contained HTML page"),
    "predict": ("brainmri.predict", "classify new images with a trained model"),
    "export": ("brainmri.export", "a trained model as ONNX or torch.export, checked"),
    "status": ("brainmri.status", "what of a study is done, running, failed and why"),
}

# The one argument of a command that is given without its name.
POSITIONAL = {"predict": "images", "status": "study"}


def usage() -> str:
    """Return the text of `brainmri --help`."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {help_line}" for name, (_, help_line) in COMMANDS.items()]
    return "\n".join(
        [
            "usage: brainmri COMMAND [OPTION ...]",
            "",
            "Brain-tumour MRI classification, from download to an honest report.",
            "For research; no medical device, no diagnosis.",
            "",
            "commands:",
            *lines,
            "",
            "brainmri COMMAND --help tells the options of one; brainmri --version the version.",
        ]
    )


def main(arguments: list[str] | None = None) -> int:
    """Run one sub-command and return the process's exit status.

    Parameters
    ----------
    arguments
        The words after `brainmri`; those of the process where None.

    Returns
    -------
    int
        0 on success; 1 where an input is at fault; 2 where the command line is; 75 where a training was
        asked to stop and can go on.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(usage())
        return 0 if arguments else 2
    if arguments[0] in ("-V", "--version"):
        from brainmri import __version__

        print(f"brainmri {__version__}")
        return 0

    from brainmri.errors import BrainmriError, meaning_of, nearest
    from brainmri.events import recorded
    from brainmri.parent import ending_with_workflow

    name = arguments[0]
    if name not in COMMANDS:
        print(f"brainmri: there is no command '{name}'. {nearest(name, COMMANDS)}", file=sys.stderr)
        return 2
    try:
        with ending_with_workflow(), recorded(name) as record:
            record.exit_code = call(name, function_of(name), arguments[1:])
            return record.exit_code
    except (BrainmriError, KeyboardInterrupt, BrokenPipeError) as error:
        status, words = meaning_of(error)
        if not isinstance(error, BrokenPipeError):  # nobody is there to be told
            print(f"brainmri {name}: {words}", file=sys.stderr)
        return status


def program() -> None:
    """Run the command of this process, and end it without taking its modules apart.

    That takes torch's a second by itself, in each job of a study. mypy ends its process alike.
    """
    status = main()
    working = [thread for thread in threading.enumerate() if not thread.daemon]
    if working != [threading.main_thread()]:
        sys.exit(status)
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # closed at the other end, or here
            stream.flush()
    os._exit(status)


def function_of(name: str) -> Callable:
    """Return the function of a sub-command."""
    module = COMMANDS[name][0]
    return getattr(import_module(module), module.rpartition(".")[2])


def call(name: str, function, arguments: list[str]) -> int:
    """Parse `arguments` by the signature of `function`, call it, and return its exit status.

    A function that returns an int (see `brainmri.predict`) sets the exit status; else it is 0.
    """
    parser = parser_of(name, function)
    check_settings(function, arguments)
    # It has the other name in the newest jsonargparse of conda, 4.40.2.
    instantiate = getattr(parser, "instantiate", None) or parser.instantiate_classes
    parsed = instantiate(parser.parse_args(arguments))
    refuse_equal_paths(dict(parsed))
    status = function(**parsed)
    return status if isinstance(status, int) else 0


def refuse_equal_paths(given: dict) -> None:
    """Refuse one file under two options: what is written for one would replace the other.

    Folders of what is kept on the way can be shared, and so can devices, as `/dev/null`.

    Raises
    ------
    BrainmriError
        If two options name one file.
    """
    from brainmri.errors import BrainmriError

    options = {}
    for option, value in given.items():
        for path in value if isinstance(value, list) else [value]:
            if option.endswith("_dir") or not isinstance(path, Path) or Path("/dev") in path.parents:
                continue
            other = options.setdefault(os.path.realpath(path), option)
            if other != option:
                raise BrainmriError(f"{other} and {option} are both {path}: name two files.")


def parser_of(name: str, function):
    """Return the parser of a sub-command: options as the arguments of its function, help as its docstring."""
    from docstring_parser import parse
    from jsonargparse import ArgumentParser, DefaultHelpFormatter

    class Help(DefaultHelpFormatter):
        """Help as a terminal shows it best: code in single quotes, a path as `Path`."""

        def _get_help_string(self, action):
            return super()._get_help_string(action).replace("``", "`")

        def _get_type_str(self, action):
            kind = super()._get_type_str(action)
            return kind and kind.removeprefix("<class '").removesuffix("'>")

    told = {entry.arg_name: entry.description for entry in parse(function.__doc__ or "").params}
    parser = ArgumentParser(
        prog=f"brainmri {name}",
        description=(function.__doc__ or "").split("\n\n")[0],
        formatter_class=Help,
    )
    # Lists of paths take words, as a shell's wildcard gives them, instead of jsonargparse's JSON list.
    lists = {
        key: parameter.default
        for key, parameter in signature(function).parameters.items()
        if parameter.annotation in (list[Path], list[Path] | None)
    }
    for key, default in lists.items():
        if name in POSITIONAL and POSITIONAL[name] == key:
            parser.add_argument(key, nargs="+", type=Path, help=told.get(key))
        else:
            wanted = {"required": True} if default is Parameter.empty else {"default": default}
            parser.add_argument(f"--{key}", nargs="+", type=Path, help=told.get(key), **wanted)
    # What is off unless it is named takes no value; a word that may be left out stands alone.
    flags = [key for key, parameter in signature(function).parameters.items() if parameter.default is False]
    for key in flags:
        parser.add_argument(f"--{key}", action="store_true", help=told.get(key))
    words = {POSITIONAL[name]} - set(lists) if name in POSITIONAL else set()
    for key in words:
        parser.add_argument(key, nargs="?", help=told.get(key))
    parser.add_function_arguments(
        function, as_group=False, as_positional=False, skip={*lists, *flags, *words}
    )
    return parser


def check_settings(function, arguments: list[str]) -> None:
    """Check options that are whole settings, given as JSON, before jsonargparse sees them.

    Its own messages name the union of types that a nested value fits none of; these name the key.

    Raises
    ------
    BrainmriError
        For an unknown key, or a value that is not allowed.
    """
    from dataclasses import is_dataclass
    from json import JSONDecodeError, loads
    from typing import get_type_hints

    from brainmri.mapping import settings_from

    hints = get_type_hints(function)
    words = [word for argument in arguments for word in argument.split("=", 1)]
    for option, text in pairwise(words):
        kind = hints.get(option.removeprefix("--"))
        if option.startswith("--") and is_dataclass(kind) and text.startswith("{"):
            # Text that is no JSON may be YAML, which jsonargparse reads too.
            with suppress(JSONDecodeError):
                settings_from(kind, loads(text), option.removeprefix("--"))


if __name__ == "__main__":
    program()
