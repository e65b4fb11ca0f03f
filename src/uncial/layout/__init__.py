"""Finding lines: page image -> regions, baselines, boundaries, reading order."""
