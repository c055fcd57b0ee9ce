"""`python -m spd`, and `torchrun --nproc-per-node 4 -m spd train ...`."""

from spd.cli import main

if __name__ == "__main__":
    main()
