"""Words of messages that several modules say."""


def count_of(number: int, thing: str) -> str:
    """How many of something, for people: 1 line, 1,542 lines."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
