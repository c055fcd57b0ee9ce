"""The query of the local path as a C kernel, compiled once on each machine; no torch here."""
