"""Time of each step of SPD on this machine, for every installed runtime."""
