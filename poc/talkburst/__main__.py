"""`python -m talkburst` is the command `talkburst`."""

from talkburst.cli import main

if __name__ == "__main__":
    main()
