"""`uncial` and `python -m uncial`."""

from uncial.cli import main

if __name__ == "__main__":
    main()
