"""``python -m hashslide`` is the command ``hashslide``."""

from hashslide.cli import main

if __name__ == "__main__":
    main()
