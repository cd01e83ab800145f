"""``python -m neopain``."""

from neopain.cli import main

if __name__ == "__main__":
    main()
