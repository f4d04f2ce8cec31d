"""Damage to bytes, drawn from a seeded generator: the same number, the same damage."""

import numpy as np

LIES = (
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\0\0\0\0",
    b"\xff\xff\xff\x7f",
    b"\0\0\0\x80",
    b"\xfe\xff",
)
# Most of what a file can lie about stands at its start or, in a table or an archive, at its end.
HEAD = 600


def mutated(data: bytes, others: list[bytes], rng: np.random.Generator) -> bytes:
    """Return bytes that are damaged in one to three ways.

    Parameters
    ----------
    data
        A good file.
    others
        Files to splice it with.
    rng
        Draws the damage.
    """
    for _ in range(int(rng.choice([1, 1, 1, 2, 3]))):
        data = mutated_once(data, others, rng)
    return data


def mutated_once(data: bytes, others: list[bytes], rng: np.random.Generator) -> bytes:
    """Return bytes damaged in one way."""
    data = bytearray(data)
    if not data:
        return rng.bytes(int(rng.integers(64)))
    place = drawn_place(len(data), rng)
    match int(rng.integers(8)):
        case 0:
            for _ in range(int(rng.integers(1, 9))):
                data[drawn_place(len(data), rng)] ^= 1 << int(rng.integers(8))
        case 1:
            del data[place:]
        case 2:
            other = others[int(rng.integers(len(others)))]
            data[place:] = other[int(rng.integers(len(other) + 1)) :]
        case 3:
            lie = LIES[int(rng.integers(len(LIES)))]
            data[place : place + len(lie)] = lie
        case 4:
            data[place:place] = rng.bytes(int(rng.integers(1, 200)))
        case 5:
            length = int(rng.integers(1, 100))
            data[place : place + length] = bytes(min(length, len(data) - place))
        case 6:
            del data[place : place + int(rng.integers(1, 100))]
        case 7:
            length = int(rng.integers(1, 100))
            data[place:place] = data[place : place + length] * int(rng.integers(1, 4))
    return bytes(data)


def drawn_place(size: int, rng: np.random.Generator) -> int:
    """Return a place in a file: anywhere, near its start, or near its end."""
    where = rng.random()
    if where < 0.4:
        return int(rng.integers(size))
    near = int(rng.integers(min(size, HEAD)))
    return near if where < 0.75 else size - 1 - near
