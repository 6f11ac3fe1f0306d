"""``torchrun ... -m hashslide.distributed train ...`` is ``hashslide train`` as one of many ranks."""

from hashslide.__main__ import main

if __name__ == "__main__":
    main(as_rank=True)
