"""Data sets that are built or read here because they are not in the XMC format."""
