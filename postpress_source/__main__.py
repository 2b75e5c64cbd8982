"""`python -m postpress_source` is `postpress`, for where the command isn't on PATH."""

from postpress_source.cli import main

if __name__ == "__main__":
    main()
