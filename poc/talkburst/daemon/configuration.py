"""Fills `Settings`: a flag goes before the environment, that before the TOML file, that before the default.

The environment names a key `TALKBURST_SECTION__KEY` (`TALKBURST_CORE__DOMAIN`); a list is written with commas or as
a TOML array, a table as a TOML inline table. `TALKBURST_STATE` is the state directory. An empty variable is as none.
Paths in the file are relative to the file, others to the working directory.
"""

import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from talkburst.daemon.faults import Path as KeyPath
from talkburst.daemon.faults import Source, explain
from talkburst.daemon.settings import ConfigurationError, Settings

_PREFIX = "TALKBURST_"
_ONE_WORD = frozenset({"state", "store", "hosts"})
_TLS_TABLES: tuple[KeyPath, ...] = ((), ("core",), ("server",), ("xdms",), ("client",))
_PATHS: tuple[KeyPath, ...] = (
    ("state",),
    ("trace", "pcap"),
    ("core", "profiles"),
    ("core", "credentials"),
    *((*table, "tls", key) for table in _TLS_TABLES for key in ("certificate", "key", "ca")),
)


def load(
    config: Path | Source | None = None,
    flags: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    flag_labels: Mapping[KeyPath, str] | None = None,
) -> Settings:
    """Read everything; raises ConfigurationError.

    `flags` is a tree of the shape of Settings that holds only what was given; `flag_labels` says which flag gave
    which key (`("core", "listen")` -> `"--listen"`).
    """
    given = Source("command line", flags or {}, flag_labels or {})
    environment = read_environment(os.environ if environ is None else environ)
    sources = [given, environment]
    if config is not None:
        sources.append(config if isinstance(config, Source) else read_file(config))

    class Sourced(Settings):
        @classmethod
        def settings_customise_sources(
            cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *_: Any, **__: Any
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return tuple(_Tree(settings_cls, source.tree) for source in sources)

    try:
        return Sourced()
    except ValidationError as error:
        raise ConfigurationError(*explain(error, Settings, sources)) from None


class _Tree(PydanticBaseSettingsSource):
    """A source that has been read already."""

    def __init__(self, settings_cls: type[BaseSettings], tree: Mapping[str, Any]) -> None:
        super().__init__(settings_cls)
        self._tree = tree

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return self._tree.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        return dict(self._tree)


def read_environment(environ: Mapping[str, str]) -> Source:
    """What the environment says, as a tree; raises ConfigurationError for a name that is nearly one of ours."""
    tree: dict[str, Any] = {}
    labels: dict[KeyPath, str] = {}
    for name, text in sorted(environ.items()):
        if not name.startswith(_PREFIX) or not text:
            continue
        path = tuple(name.removeprefix(_PREFIX).lower().split("__"))
        if len(path) == 1 and path[0] not in _ONE_WORD:
            _refuse_single_underscore(name, path[0])
            continue  # foreign: Kubernetes sets TALKBURST_PORT for a service of that name
        table = tree
        for part in path[:-1]:
            table = table.setdefault(part, {})
            if not isinstance(table, dict):
                raise ConfigurationError(f"{name}: a variable for the whole of {part} is set as well; keep one of them")
        table[path[-1]] = _environment_value(text)
        labels[path] = name
    return Source("environment", tree, labels)


def _refuse_single_underscore(name: str, rest: str) -> None:
    section, _, key = rest.partition("_")
    model = Settings.model_fields[section].annotation if section in Settings.model_fields else None
    if key in getattr(model, "model_fields", ()):
        meant = f"{_PREFIX}{section}__{key}".upper()
        raise ConfigurationError(f"{name}: no such variable; did you mean {meant} (two underscores)?")


def _environment_value(text: str) -> Any:
    if text[0] in "[{":  # an array or a table, unless it is [::1]:5060
        try:
            return tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            return text
    return text


def read_file(path: Path) -> Source:
    """What the TOML file says; raises ConfigurationError when it can not be read or is not TOML."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
        tree = tomllib.loads(text)
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot read this configuration file: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: is not UTF-8 text (octet {error.start})") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(_syntax_fault(path, error)) from None
    _anchor_paths(tree, path.parent)
    lines = {key: f"{path}:{number}" for key, number in key_lines(text)}
    return Source(str(path), tree, lines)


def _syntax_fault(path: Path, error: tomllib.TOMLDecodeError) -> str:
    found = re.fullmatch(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", str(error), re.DOTALL)
    if found is None:
        return f"{path}: is not TOML: {error}"
    what = found[1][:1].lower() + found[1][1:]
    place = f":{found[2]}:{found[3]}" if found[2] else ""
    return f"{path}{place}: is not TOML: {what}{'' if found[2] else ' at the end of the file'}"


def _anchor_paths(tree: dict[str, Any], directory: Path) -> None:
    for *tables, key in _PATHS:
        table: Any = tree
        for part in tables:
            table = table.get(part) if isinstance(table, dict) else None
        if isinstance(table, dict) and isinstance(value := table.get(key), str) and value:
            table[key] = str(directory / Path(value).expanduser())


_KEY = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*')"""
_DOTTED = rf"{_KEY}(?:\s*\.\s*{_KEY})*"
_HEADER = re.compile(rf"\s*\[\[?\s*({_DOTTED})\s*\]")
_ASSIGNMENT = re.compile(rf"\s*({_DOTTED})\s*=")


def key_lines(text: str) -> Iterator[tuple[KeyPath, int]]:
    """Where each key stands, for messages: a scan that takes the text to be sound TOML.

    Keys inside inline tables and lines inside multi-line values are not told apart; a message then names the line
    of the table, or none.
    """
    table: KeyPath = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            table = _parts(header[1])
            yield table, number
        elif assignment := _ASSIGNMENT.match(line):
            yield (*table, *_parts(assignment[1])), number


def _parts(key: str) -> KeyPath:
    return tuple(json.loads(part) if part[0] == '"' else part.strip("'") for part in re.findall(_KEY, key))
