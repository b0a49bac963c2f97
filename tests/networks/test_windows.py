import pytest
import torch
from network_helpers import random

from dover_plugin.networks.windows import (
    MASKED,
    fit_window,
    fragment_distance,
    from_windows,
    relative_position_index,
    shift_mask,
    to_windows,
)


def test_window_shrinks_to_the_grid_and_then_does_not_shift() -> None:
    assert fit_window((16, 7, 7), (8, 7, 7), (4, 3, 3)) == ((8, 7, 7), (4, 0, 0))
    with pytest.raises(ValueError, match="do not tile"):
        fit_window((16, 10, 14), (8, 7, 7), (4, 3, 3))


def test_partition_into_windows_is_reversible() -> None:
    x = random(2, 4, 6, 9, 5)
    windows = to_windows(x, (2, 3, 3))
    assert windows.shape == (2, 2 * 2 * 3, 2 * 3 * 3, 5)
    assert torch.equal(windows[1, 1], x[1, :2, :3, 3:6].reshape(-1, 5))
    assert torch.equal(from_windows(windows, (2, 3, 3), (4, 6, 9)), x)


def test_position_index_is_that_of_the_specification() -> None:
    index = relative_position_index((8, 7, 7))
    query, key = (3, 6, 1), (5, 0, 4)
    rows = [(t * 7 + h) * 7 + w for t, h, w in (query, key)]
    dt, dh, dw = (q - k for q, k in zip(query, key, strict=True))
    assert index[rows[0], rows[1]] == ((dt + 7) * 13 + dh + 6) * 13 + dw + 6
    assert (index.min(), index.max()) == (0, 15 * 13 * 13 - 1)


def test_fragment_distance_is_rows_plus_columns() -> None:
    # The second window of the top row, unshifted, has columns 7..13 of 56: fragments 0 and 1.
    distance = fragment_distance((16, 56, 56), (8, 7, 7), (0, 0, 0))[1]
    assert distance[0, 1] == 1  # column 7 lies in fragment 0, column 8 in fragment 1
    assert distance[0, 0] == 0
    wide = fragment_distance((16, 14, 14), (8, 7, 7), (0, 0, 0))[0]
    assert wide.max() == 6  # 14 tokens over 7 fragments: rows 0..3 and columns 0..3


def test_shift_mask_separates_tokens_that_wrap_around() -> None:
    mask = shift_mask((4, 2, 2), (2, 2, 2), (1, 0, 0))  # (2, 8, 8)
    assert not mask[0].any()  # frames 1 and 2
    assert mask[1, 0, 7] == mask[1, 7, 0] == MASKED  # frames 3 and 0
    assert mask[1, 0, 3] == mask[1, 4, 7] == 0
