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
LEVEL = 0.15  # of the spacing of the text: nearer, on the median, cells stand to the level of their row
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
    left, text, right = _with_notes(chosen, boxes, height)
    return [_in_rows(column, boxes) for column in (*left, text, *right)]


def _in_rows(chosen: list[int], boxes: Sequence[Box]) -> list[int]:
    return sum(_rows(chosen, boxes), [])


def _with_notes(
    chosen: list[int], boxes: Sequence[Box], height: float
) -> tuple[list[list[int]], list[int], list[list[int]]]:
    """Notes of several lines in the left margin from top to bottom, the running text, and notes in the right margin.

    Cells, dates and numbers belong to the rows of the text: they stand level with its lines or are narrow. Where notes
    are not most of what stands in the margins, or more stands there than there are long lines, the page is a table.
    """
    widths = {i: boxes[i].right - boxes[i].left for i in chosen}
    least = LONG * float(np.quantile(list(widths.values()), 0.9))
    longs = [boxes[i] for i in chosen if widths[i] >= least]
    short = sorted((i for i in chosen if widths[i] < least), key=lambda i: boxes[i].bottom)
    steps = np.diff(sorted(box.bottom for box in longs))
    steps = steps[steps > 0.5 * height]  # smaller ones are lines side by side
    if len(steps) < 2 * COLUMN_LINES:
        return [], chosen, []
    spacing = float(np.median(steps))
    beside = [i for i in short if _is_beside(boxes[i], longs, spacing)]
    text = [boxes[i] for i in chosen if i not in beside]
    notes: list[list[int]] = []
    noted: set[int] = set()
    for note in _blocks(beside, boxes, spacing):
        free = [i for i in note if i not in noted]  # a note above may have gone on into this one
        if (
            len(free) >= COLUMN_LINES
            and np.median([widths[i] for i in free]) >= COLUMN_WIDTH * height
            and not _is_level([boxes[i] for i in free], text, spacing)
        ):
            notes.append(_extended(free, [i for i in short if i not in noted], boxes, longs, spacing))
            noted.update(notes[-1])
    if 2 * len(noted & set(beside)) <= len(beside) or len(beside) > len(longs):
        return [], chosen, []
    middle = float(np.median([box.left + box.right for box in longs]))
    left, right = (
        [n for n in notes if (np.median([boxes[i].left + boxes[i].right for i in n]) < middle) == side]
        for side in (True, False)
    )
    return left, [i for i in chosen if i not in noted], right


def _blocks(beside: Sequence[int], boxes: Sequence[Box], spacing: float) -> list[list[int]]:
    """Lines from top to bottom, put together where one goes on from another."""
    blocks: list[list[int]] = []
    for i in beside:
        block = next((block for block in blocks if _follows(boxes[i], boxes[block[-1]], spacing)), None)
        if block is None:
            blocks.append([i])
        else:
            block.append(i)
    return blocks


def _extended(
    note: list[int], short: Sequence[int], boxes: Sequence[Box], longs: Sequence[Box], spacing: float
) -> list[int]:
    """The note with its lines just below a long one, or below the text's last line, and with pieces of its lines."""
    note = list(note)
    clear = [i for i in short if _is_clear(boxes[i], longs, 0.75 * spacing)]
    for i in (*clear, *reversed(clear)):
        near = (_follows(boxes[i], boxes[j], spacing) or _follows(boxes[j], boxes[i], spacing) for j in note)
        if i not in note and any(near):
            note.append(i)
    return note


def _follows(box: Box, last: Box, spacing: float) -> bool:
    """Whether a line is the next one of a note."""
    return 0 <= box.bottom - last.bottom <= NOTE_SPACING * spacing and _overlap(last, box) > 0.5


def _is_beside(box: Box, longs: Sequence[Box], spacing: float) -> bool:
    """Whether long lines run at the level of a line, and it stands in their margin."""
    near = [other for other in longs if abs(other.bottom - box.bottom) <= 1.5 * spacing]
    return len(near) > 0 and _is_clear(box, near, 1.5 * spacing)


def _is_clear(box: Box, longs: Sequence[Box], reach: float) -> bool:
    """Whether no long line so near runs above or below a line."""
    return all(_overlap(box, other) <= OVERHANG for other in longs if abs(other.bottom - box.bottom) <= reach)


def _is_level(note: Sequence[Box], text: Sequence[Box], spacing: float) -> bool:
    """Whether lines stand at the levels of the text's, as cells of its rows do."""
    bottoms = np.array([box.bottom for box in text])
    return float(np.median([np.abs(bottoms - box.bottom).min() for box in note])) < LEVEL * spacing


def _overlap(box: Box, other: Box) -> float:
    """The share of the narrower box's width that both have in common, in [0, 1]."""
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
