"""The local path's query as a C kernel that is compiled once on the machine that asks."""
