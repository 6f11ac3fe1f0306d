"""``python -m hashslide`` is the command ``hashslide``."""

from hashslide.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
