"""How large an image may be; a header that claims more is an attack on the memory."""

MAXIMUM_PIXELS = 25_000_000  # No slice comes near.
