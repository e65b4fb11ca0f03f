"""Frozen dataclasses <-> plain dictionaries and TOML; an unknown name is an error with a suggestion.

Settings are dataclasses whose fields are numbers, strings, booleans, tuples of those, or other such dataclasses.
Everything that is read from outside (a TOML file, `--set key=value`, a bundle's JSON) passes through `from_dict`.
"""

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from uncial.errors import ConfigError

DEFAULT = "default"  # what the shipped bundle may be called, where no folder of that name is at hand

T = TypeVar("T")


def choose(table: Mapping[str, T], kind: str, name: str) -> T:
    """The member of a family's table with this name.

    Raises:
        ConfigError: there is none; the message lists those there are.
    """
    if name not in table:
        raise ConfigError(f"no {kind} named '{name}'; there are: {', '.join(sorted(table))}")
    return table[name]


def from_dict(cls: type[T], values: Mapping[str, Any], where: str = "") -> T:
    """Build the frozen dataclass `cls` from plain values, checking names and types, nested ones too.

    Args:
        cls: a dataclass of settings.
        values: as read from TOML or JSON; a missing name keeps its default.
        where: dotted path of `cls` inside the whole, for messages.

    Raises:
        ConfigError: a name that does not exist, or a value of the wrong type or out of range.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(f"{where or cls.__name__} is a table of settings, not {values!r}")
    known = {f.name for f in fields(cls)}  # type: ignore[arg-type]
    hints = get_type_hints(cls)
    built = {}
    for name, value in values.items():
        path = f"{where}.{name}" if where else name
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else f"; known: {', '.join(sorted(known))}"
            raise ConfigError(f"there is no setting '{path}'{hint}")
        built[name] = _convert(hints[name], value, path)
    try:
        return cls(**built)
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{where or cls.__name__}: {error}") from error


def to_dict(settings: Any) -> dict[str, Any]:
    """The plain values of a settings dataclass, nested ones as dictionaries, tuples as lists."""
    return {f.name: _plain(getattr(settings, f.name)) for f in fields(settings)}


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file.

    Raises:
        ConfigError: no such file, or not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such file; --config takes a TOML file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not a TOML file ({error})") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); --config takes a TOML file") from error


def merge(values: Mapping[str, Any], settings: Sequence[str]) -> dict[str, Any]:
    """Plain values with `key=value` settings laid over them; a dotted key reaches into a table.

    The value is read as TOML (`3`, `1e-3`, `true`, `[1, 2]`); what is not TOML is taken as a string.

    Raises:
        ConfigError: a setting without `=`, or one that reaches into something that is not a table.
    """
    merged = {k: merge(v, []) if isinstance(v, Mapping) else v for k, v in values.items()}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f"--set {setting}: write it as key=value, such as --set learning_rate=0.001")
        *tables, last = key.strip().split(".")
        here = merged
        for table in tables:
            here = here.setdefault(table, {})
            if not isinstance(here, dict):
                raise ConfigError(f"--set {setting}: '{table}' is a value, not a table of settings")
        here[last] = _toml_value(text.strip())
    return merged


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return to_dict(value)
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    return value


def _convert(hint: Any, value: Any, path: str) -> Any:
    if is_dataclass(hint) and isinstance(value, Mapping):
        return from_dict(hint, value, path)  # type: ignore[arg-type]
    if get_origin(hint) is tuple:
        if not isinstance(value, list | tuple):
            raise ConfigError(f"setting '{path}' is a list, not {value!r}")
        inner = get_args(hint)
        types = [inner[0]] * len(value) if len(inner) == 2 and inner[1] is ... else list(inner)
        if len(types) != len(value):
            raise ConfigError(f"setting '{path}' takes {len(types)} values, not {len(value)}: {value!r}")
        return tuple(_convert(t, v, path) for t, v in zip(types, value, strict=True))
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise ConfigError(f"setting '{path}' takes {_article(hint.__name__)}, not {value!r}")
    if isinstance(value, float) and not math.isfinite(value):  # TOML knows inf and nan, and no range excludes nan
        raise ConfigError(f"setting '{path}' takes a finite number, not {value!r}")
    return value


def _article(type_name: str) -> str:
    return {
        "int": "a whole number",
        "float": "a number",
        "bool": "true or false",
        "str": "a string",
    }.get(type_name, f"a table of {type_name}")
