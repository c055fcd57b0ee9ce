"""The exact counts of `spd cost` compared with the figures that the specification prints."""
