"""Settings from TOML and from `--set`: every wrong name and value is told, with the right one where it is near."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uncial.config import choose, from_dict, merge, read_toml, to_dict
from uncial.errors import ConfigError
from uncial.train_config import TrainConfig


@dataclass(frozen=True, slots=True)
class Pen:
    width: int = 2
    colours: tuple[str, ...] = ("black",)
    place: tuple[int, float] = (0, 0.5)

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ValueError(f"width is at least 1, not {self.width}")


@dataclass(frozen=True, slots=True)
class Desk:
    pen: Pen = field(default_factory=Pen)
    lit: bool = False
    height: float = 0.7
    owner: str = ""


def test_what_is_not_given_keeps_its_default() -> None:
    assert from_dict(Desk, {"pen": {"width": 3}, "height": 1}) == Desk(pen=Pen(width=3), height=1.0)


@given(st.builds(Desk, st.builds(Pen, st.integers(1, 9)), st.booleans(), st.floats(0, 9), st.text(max_size=5)))
def test_settings_turned_into_plain_values_come_back(desk: Desk) -> None:
    assert from_dict(Desk, to_dict(desk)) == desk


def test_the_settings_of_a_training_come_back_from_plain_values() -> None:
    assert from_dict(TrainConfig, to_dict(TrainConfig())) == TrainConfig()


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("learning_rat=0.1", "no setting 'learning_rat'; did you mean 'learning_rate'"),
        ("network.recurent=gru", "no setting 'network.recurent'; did you mean 'recurrent'"),
        ("zzz=1", "no setting 'zzz'; known: adapt_language, augment,"),
        ("learning_rate=quick", "'learning_rate' takes a number, not 'quick'"),
        ("learning_rate=nan", "'learning_rate' takes a finite number"),
        ("minutes=inf", "'minutes' takes a finite number"),
        ("epochs=2.5", "'epochs' takes a whole number, not 2.5"),
        ("epochs=true", "'epochs' takes a whole number, not True"),
        ("network.shortcut=1", "'network.shortcut' takes true or false, not 1"),
        ("network.backbone=3", "'network.backbone' takes a string, not 3"),
        ("network=3", "'network' takes a table of CRNNConfig, not 3"),
        ("network.channels=3", "'network.channels' is a list, not 3"),
        ("network.channels=[8, 'x']", "'network.channels' takes a whole number, not 'x'"),
        ("network.kernel=2", "network: kernel is the odd side"),
        ("clip=0", "clip above 0"),
        ("seed=-1", "seed must not be negative"),
        ("device=gpu", "device is 'auto', 'cpu'"),
        ("seed", "write it as key=value"),
        ("=3", "write it as key=value"),
        ("seed.deep=1", "no setting 'seed.deep'|'seed' takes a whole number"),
    ],
)
def test_a_wrong_setting_is_told_with_the_right_name_or_kind(setting: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        from_dict(TrainConfig, merge({}, [setting]))


def test_a_list_of_fixed_length_takes_as_many_values() -> None:
    assert from_dict(Pen, {"place": [3, 4]}).place == (3, 4.0)
    with pytest.raises(ConfigError, match="'place' takes 2 values, not 3"):
        from_dict(Pen, {"place": [1, 2, 3]})


def test_values_that_are_no_table_are_told() -> None:
    with pytest.raises(ConfigError, match="Desk is a table of settings, not"):
        from_dict(Desk, ["pen"])  # type: ignore[arg-type]


def test_single_settings_win_over_those_of_a_file_and_leave_the_rest() -> None:
    values = {"pen": {"width": 3, "colours": ["red"]}, "owner": "Ann"}
    merged = merge(values, ["pen.width=4", "lit=true", "owner=Bob Ray", "height = 1e-1"])
    assert from_dict(Desk, merged) == Desk(Pen(4, ("red",)), lit=True, height=0.1, owner="Bob Ray")
    assert values == {"pen": {"width": 3, "colours": ["red"]}, "owner": "Ann"}


def test_a_setting_inside_a_value_is_told() -> None:
    with pytest.raises(ConfigError, match="'lit' is a value, not a table"):
        merge({"lit": True}, ["lit.more=1"])


def test_a_file_that_is_missing_or_not_toml_is_told(tmp_path: Path) -> None:
    for name, data, told in (
        ("no.toml", None, "no such file"),
        ("a.toml", b"a = ", "not a TOML"),
        ("b", b"\xff", "not"),
    ):
        if data is not None:
            (tmp_path / name).write_bytes(data)
        with pytest.raises(ConfigError, match=told):
            read_toml(tmp_path / name)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_toml(tmp_path)


def test_a_file_with_tables_is_read(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text('owner = "é"\n[pen]\nwidth = 5\n', encoding="utf-8")
    assert from_dict(Desk, read_toml(tmp_path / "run.toml")) == Desk(Pen(5), owner="é")


def test_a_part_that_does_not_exist_is_answered_with_those_that_do() -> None:
    assert choose({"lstm": 1, "gru": 2}, "layer", "gru") == 2
    with pytest.raises(ConfigError, match="no layer named 'gnu'; there are: gru, lstm"):
        choose({"lstm": 1, "gru": 2}, "layer", "gnu")
