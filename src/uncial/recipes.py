"""Settings that go together for a purpose, by name; a settings file and single settings are laid over them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from uncial.config import choose

FEW = 1000  # lines; with at most so many, a bundle is taken to a new hand by the recipe made for that

_NEW_HAND = {
    "minutes": 5.0,
    "most_epochs": 60,  # few lines are learned by heart: ten of them read others worse after 160 passes than after 60
    "batch_lines": 4,
    "learning_rate": 3e-4,
    "warmup": 0.1,
    "averaging": 0.99,
    "augment": {"strength": 1.5, "chance": 0.7},
    "network": {"dropout": 0.3},
    "batch_statistics": False,
    "held_out": 0.12,
    "validation_lines": 100,
    "validate_minutes": 0.25,
    "keep_start": True,
    "tolerance": 0.15,
}

# Many small steps at a high rate: these rather than lines end the state of writing blanks only.
_FROM_NOTHING = {"batch_lines": 8, "learning_rate": 2e-3}

# The same within an hour on a few processor cores: a network that learns from twice as many lines in a second.
_SMALL = {
    "minutes": 60.0,
    "batch_lines": 6,
    "learning_rate": 3e-3,
    "augment": {"strength": 0.5},
    "network": {"channels": [16, 32, 96, 160], "recurrent_size": 128, "dropout": 0.1},
    "line_image": {"stretch": 1.2},
}

RECIPES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {"standard": {}, "new-hand": _NEW_HAND, "from-nothing": _FROM_NOTHING, "small": _SMALL}
)


def with_recipe(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a recipe with others laid over them, tables of settings one by one.

    Args:
        name: one of `RECIPES`.
        values: as from a TOML file.

    Raises:
        ConfigError: there is no such recipe.
    """
    whole = dict(choose(RECIPES, "recipe", name))
    for key, value in values.items():
        below = whole.get(key)
        whole[key] = {**below, **value} if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return whole
