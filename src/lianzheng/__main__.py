"""``python -m lianzheng`` is the command ``lianzheng``."""

from lianzheng.cli import main

if __name__ == "__main__":
    main()
