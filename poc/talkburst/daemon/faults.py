"""Says what is wrong with a configuration in the words of the file, not of the library that found it."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from talkburst.daemon.near import near

Path = tuple[str | int, ...]

_SECRETS = frozenset({"password", "xcap_password", "accounts", "readers"})
_LONGEST_VALUE = 60

_EXPECTED = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "string": "text",
    "list": "a list",
    "dict": "a table",
    "model": "a table",
}
_BOUNDS = {
    "greater_than": ("gt", "must be more than {}"),
    "greater_than_equal": ("ge", "must be at least {}"),
    "less_than": ("lt", "must be less than {}"),
    "less_than_equal": ("le", "must be at most {}"),
}


class Source(NamedTuple):
    """One place that settings came from. `place` names it, or a key in it, for a message."""

    name: str  # "flags", "environment", or the file's path
    tree: Mapping[str, Any]
    labels: Mapping[Path, str]  # what a key is called there: "--listen", "TALKBURST_CORE__LISTEN", "file.toml:7"


def explain(error: ValidationError, model: type[BaseModel], sources: Sequence[Source]) -> list[str]:
    """One line for each fault; `sources` in order of precedence."""
    return [_line(fault, model, sources) for fault in error.errors(include_url=False)]


def _line(fault: ErrorDetails, model: type[BaseModel], sources: Sequence[Source]) -> str:
    path = tuple(part for part in fault["loc"] if part != "[key]")
    context: Mapping[str, Any] = fault.get("ctx", {})
    if fault["type"] == "key_fault":
        return f"{_place((*path, context['key']), sources)}: {context['text']}"
    if fault["type"] == "extra_forbidden":
        return f"{_place(path, sources)}: {_unknown_key(path, model)}"
    if fault["type"] == "missing":
        return f"{_place(path, sources, held=path[:-1])}: is missing"
    wrong = _wrong(fault["type"], context, fault["input"])
    return f"{_place(path, sources)}{_given(path, fault['input'])}: {wrong}"


def _unknown_key(path: Path, model: type[BaseModel]) -> str:
    known = sorted(_section(path[:-1], model).model_fields)
    key = str(path[-1])
    hint = near(key, known) or f"; the keys here are {', '.join(known)}"
    return ("no such key" if len(path) > 1 else "no such key or section") + hint


def _section(path: Path, model: type[BaseModel]) -> type[BaseModel]:
    """The model that holds the keys under `path`; steps through tables of models such as xdms.accounts."""
    current: Any = model
    for part in path:
        if isinstance(current, type) and issubclass(current, BaseModel):
            current = current.model_fields[str(part)].annotation
        else:
            current = get_args(current)[-1]
    assert isinstance(current, type)
    assert issubclass(current, BaseModel)
    return current


def _wrong(kind: str, context: Mapping[str, Any], value: object) -> str:
    if kind == "value_error":
        return str(context["error"])
    if kind in _BOUNDS:
        key, text = _BOUNDS[kind]
        return text.format(f"{context[key]:g}" if isinstance(context[key], float) else context[key])
    if kind == "literal_error":
        choices = re.findall(r"'([^']*)'", str(context["expected"]))
        quoted = [json.dumps(choice) for choice in choices]
        return f"must be {', '.join(quoted[:-1])} or {quoted[-1]}{near(str(value), choices)}"
    if kind in ("string_too_short", "too_short"):
        return "must not be empty"
    if kind == "finite_number":
        return "must be a finite number"
    expected = _EXPECTED.get(kind.partition("_")[0])
    return f"must be {expected}" if expected else "is not right here"


def _given(path: Path, value: object) -> str:
    if _SECRETS.intersection(part for part in path if isinstance(part, str)):
        return " (value not shown)"
    if isinstance(value, Mapping):
        return " = {...}"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return f" = {text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 3] + '...'}"


def _place(path: Path, sources: Sequence[Source], held: Path | None = None) -> str:
    """`FILE:LINE: core.domain`, `TALKBURST_CORE__DOMAIN: core.domain`, `--listen: core.listen[0]`.

    `held` is what a source must hold to be the one that is meant, by default the key itself.
    """
    shown = dotted(path)
    for source in sources:
        if _holds(source.tree, path if held is None else held):
            label = next((source.labels[path[:n]] for n in range(len(path), 0, -1) if path[:n] in source.labels), "")
            return f"{label or source.name}: {shown}"
    return shown


def _holds(tree: object, path: Path) -> bool:
    """Whether this source says anything about the key, or about the list or table it is in."""
    for depth, part in enumerate(path):
        if isinstance(part, int) or not isinstance(tree, Mapping):
            return depth > 0
        if part not in tree:
            return False
        tree = tree[part]
    return True


def dotted(path: Path) -> str:
    """A key path as TOML writes it: `hosts."ims.example"`, `core.listen[0]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            key = part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else json.dumps(part)
            text += f".{key}" if text else key
    return text
