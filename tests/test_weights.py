import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from uncial.weights import pack, places, unpack

ARRAYS = hnp.arrays(
    np.float32, hnp.array_shapes(min_dims=1, max_dims=4, max_side=4), elements=st.floats(-100, 100, width=16)
)


@given(st.dictionaries(st.text("abc.", min_size=1, max_size=8), ARRAYS, max_size=5))
def test_each_weight_lies_where_its_place_says(weights: dict[str, np.ndarray]) -> None:
    data = pack(weights)
    for name, place in places(data).items():
        dtype = {"F16": "<f2", "F32": "<f4"}[place.dtype]
        value = np.frombuffer(data[place.offset : place.offset + place.length], dtype).reshape(place.shape)
        np.testing.assert_array_equal(value, weights[name])


@given(st.dictionaries(st.text("abc.", min_size=1, max_size=8), ARRAYS, max_size=5))
def test_weights_of_fp16_come_back_as_they_were(weights: dict[str, np.ndarray]) -> None:
    read = unpack(pack(weights))
    assert read.keys() == weights.keys()
    for name, value in read.items():
        assert value.dtype == np.float32
        np.testing.assert_array_equal(value, weights[name])


def test_matrices_are_stored_in_half_precision_and_vectors_in_full() -> None:
    found = places(pack({"filter": np.ones((2, 3)), "norm.running_var": np.array([1e-9, 1e9])}))
    assert (found["filter"].dtype, found["norm.running_var"].dtype) == ("F16", "F32")


def test_counters_of_training_are_left_out() -> None:
    assert not places(pack({"stem.norm.num_batches_tracked": np.array(7)}))


def test_places_depend_on_names_and_shapes_alone() -> None:
    one, other = {"a": np.ones((2, 3)), "b": np.ones(4)}, {"b": np.zeros(4), "a": np.full((2, 3), 7.0)}
    assert places(pack(one)) == places(pack(other))


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e6])
def test_a_weight_that_half_precision_cannot_hold_is_refused_by_name(value: float) -> None:
    with pytest.raises(ValueError, match=r"head\.weight"):
        pack({"head.weight": np.array([[1.0, value]])})


@pytest.mark.parametrize("data", [b"", b"\x08\x00", b"\xff" * 40, b"\x02\x00\x00\x00\x00\x00\x00\x00[]"])
def test_what_is_no_safetensors_file_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="safetensors"):
        places(data)
    with pytest.raises(ValueError, match="safetensors"):
        unpack(data)
