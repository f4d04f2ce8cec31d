"""From files to pixels: inventory, decoding, black-border crop, the packed store."""
