"""Reading order: columns from left to right, in each its rows from top to bottom, in each row from left to right.

A page is cut where an empty strip runs through it from top to bottom (Nagy et al. 1992, XY cut, but with lines for
pixels); a heading above two columns is cut off first. Where lines of facing pages run on across the fold, no strip is
empty, and the page is cut where the least of them lies astray. Notes of several lines in a margin are columns, too.
Cells of a table are narrow, so its rows stay together.
"""

from collections.abc import Sequence

import numpy as np

from uncial.geometry import Box

COLUMN_LINES = 3  # a column has at least so many lines
COLUMN_WIDTH = 4.0  # heights of a line: the median line of a column is at least so wide; cells of tables are not
GUTTER = 0.5  # heights of a line: the empty strip between columns is at least so wide
OVERHANG = 0.15  # of a line's length: so much may reach into the column beside, where no strip is empty
CROSSING = 0.15  # of the lines of the smaller column: so many may reach farther
LONG = 0.6  # of the width of long lines: so long are lines of running text beside which notes stand
NOTE_SPACING = 2.5  # spacings of the text: lines of one note are nearer
ALIKE = 0.5  # columns of facing pages are alike in width, down to this ratio; those of tables seldom are


def reading_order(boxes: Sequence[Box]) -> list[list[int]]:
    """Group lines into columns, and order both.

    Args:
        boxes: around the lines' middles, from baseline to the height of small letters.

    Returns:
        Indices into `boxes`: a list for each column.
    """
    if not boxes:
        return []
    height = float(np.median([box.bottom - box.top for box in boxes]))
    return _cut(list(range(len(boxes))), boxes, height)


def _cut(chosen: list[int], boxes: Sequence[Box], height: float) -> list[list[int]]:
    if (gutter := _gutter(chosen, boxes, height)) is not None:
        return _parted(chosen, boxes, height, gutter)
    rows = _rows(chosen, boxes)
    for n in range(1, min(5, len(rows) - COLUMN_LINES)):  # a heading, then columns; or columns, then a line below
        head, tail = sum(rows[:n], []), sum(rows[n:], [])
        if _gutter(tail, boxes, height) is not None:
            return [head, *_cut(tail, boxes, height)]
        head, tail = sum(rows[:-n], []), sum(rows[-n:], [])
        if _gutter(head, boxes, height) is not None:
            return [*_cut(head, boxes, height), tail]
    if (fold := _fold(chosen, boxes, height)) is not None:
        return _parted(chosen, boxes, height, fold)
    text, notes = _notes(chosen, boxes, height)
    if not notes:
        return [sum(rows, [])]
    columns = [sum(_rows(text, boxes), []), *notes]
    return sorted(columns, key=lambda column: float(np.median([boxes[i].left for i in column])))


def _notes(chosen: list[int], boxes: Sequence[Box], height: float) -> tuple[list[int], list[list[int]]]:
    """The running text, and notes of several lines in its margins, each by itself from top to bottom.

    Where more stands beside the text than notes of some lines, such as cells of a table, verse numbers or dates, it
    belongs to the rows of the text, and there are no notes.
    """
    widths = {i: boxes[i].right - boxes[i].left for i in chosen}
    longs = [i for i in chosen if widths[i] >= LONG * np.quantile(list(widths.values()), 0.9)]
    if len(longs) < 2 * COLUMN_LINES:
        return chosen, []
    spacing = float(np.median(np.diff(sorted(boxes[i].bottom for i in longs))))
    text = [boxes[i] for i in longs]
    beside = [i for i in chosen if i not in longs and _is_beside(boxes[i], text, spacing)]
    notes: list[list[int]] = []
    for i in sorted(beside, key=lambda i: boxes[i].bottom):
        above = [note for note in notes if _goes_on(boxes[note[-1]], boxes[i], spacing)]
        if above:
            above[0].append(i)
        else:
            notes.append([i])
    notes = [n for n in notes if len(n) >= COLUMN_LINES and np.median([widths[i] for i in n]) >= COLUMN_WIDTH * height]
    noted = set(sum(notes, []))
    if 2 * len(noted) <= len(beside) or len(beside) > len(longs):
        return chosen, []
    return [i for i in chosen if i not in noted], notes


def _goes_on(last: Box, box: Box, spacing: float) -> bool:
    """Whether a line is the next one of a note."""
    return box.bottom - last.bottom <= NOTE_SPACING * spacing and _overlap(last, box) > 0.5


def _is_beside(box: Box, longs: Sequence[Box], spacing: float) -> bool:
    """Whether long lines run at the level of a line, and it stands in their margin."""
    level = [other for other in longs if abs(other.bottom - box.bottom) <= 1.5 * spacing]
    return len(level) > 0 and all(_overlap(box, other) <= OVERHANG for other in level)


def _overlap(box: Box, other: Box) -> float:
    """The share of the narrower box that lies above or below the other."""
    shared = min(box.right, other.right) - max(box.left, other.left)
    return max(shared, 0.0) / max(min(box.right - box.left, other.right - other.left), 1.0)


def _parted(chosen: list[int], boxes: Sequence[Box], height: float, place: float) -> list[list[int]]:
    """The columns left of a place, then those right of it; a line belongs where its middle lies."""
    left = [i for i in chosen if boxes[i].left + boxes[i].right < 2 * place]
    right = [i for i in chosen if boxes[i].left + boxes[i].right >= 2 * place]
    return _cut(left, boxes, height) + _cut(right, boxes, height)


def _gutter(chosen: list[int], boxes: Sequence[Box], height: float) -> float | None:
    """Where an empty strip parts two columns; None: nowhere. Of several the widest."""
    spans = sorted((boxes[i].left, boxes[i].right) for i in chosen)
    best: tuple[float, float] | None = None
    reach = -np.inf
    for n, (left, right) in enumerate(spans):
        if n >= COLUMN_LINES and len(spans) - n >= COLUMN_LINES and left - reach >= GUTTER * height:
            widths = [np.median([b - a for a, b in side]) for side in (spans[:n], spans[n:])]
            if min(widths) >= COLUMN_WIDTH * height and (best is None or left - reach > best[0]):
                best = (left - reach, (left + reach) / 2)
        reach = max(reach, right)
    return best[1] if best else None


def _fold(chosen: list[int], boxes: Sequence[Box], height: float) -> float | None:
    """Where two columns of like width meet, though some lines reach or even run across; None: nowhere."""
    lefts, rights = (np.array([getattr(boxes[i], side) for i in chosen]) for side in ("left", "right"))
    wide = rights - lefts >= COLUMN_WIDTH * height  # snippets and specks are no sign of a column
    lefts, rights = lefts[wide], rights[wide]
    best: tuple[float, float] | None = None
    for place in np.unique(lefts):
        share = np.clip((place - lefts) / (rights - lefts), 0, 1)  # of each line that lies left of the place
        sides = share >= 1 - OVERHANG, share <= OVERHANG
        smaller = min(side.sum() for side in sides)
        if smaller < 2 * COLUMN_LINES or (~sides[0] & ~sides[1]).sum() > CROSSING * smaller:
            continue
        widths = [np.median((rights - lefts)[side]) for side in sides]
        astray = float(((rights - lefts) * np.minimum(share, 1 - share)).sum())
        if min(widths) >= ALIKE * max(widths) and (best is None or astray < best[0]):
            best = (astray, float(place))
    return best[1] if best else None


def _rows(chosen: list[int], boxes: Sequence[Box]) -> list[list[int]]:
    """Lines side by side, as rows from top to bottom."""
    rows: list[list[int]] = []
    for i in sorted(chosen, key=lambda i: (boxes[i].top + boxes[i].bottom) / 2):
        box = boxes[i]
        last = rows[-1] if rows else []
        beside = all(boxes[j].right <= box.left + 2 or boxes[j].left >= box.right - 2 for j in last)
        level = last and (box.top + box.bottom) / 2 < np.mean([boxes[j].bottom for j in last])
        if last and beside and level:
            last.append(i)
        else:
            rows.append([i])
    return [sorted(row, key=lambda i: boxes[i].left) for row in rows]
