"""Groups that change places between two parts, so that the largest deviation from the wished shares falls."""

from itertools import combinations

import numpy as np

# Kinds of groups that are tried against each other at a time; where there are more, each round tries others.
TRIED = 128
# How many exchanges may be looked at in all, and what looking at one pair of parts costs beside them.
BUDGET, OVERHEAD = 1_000_000, 1_000
# A local optimum is left by so many random moves.
KICKS = 3
# Differences below this share of a value are rounding.
ROUNDING = 1e-9


class Hands:
    """How many groups of each kind each part holds, and how far that is from the wish.

    Parameters
    ----------
    kinds : ndarray of int, shape (K, C)
        Images of each class in a group of each kind.
    wished : ndarray of float, shape (P,)
        The share of each part.
    available : ndarray of int, shape (K,)
        How many groups of each kind there are.

    Attributes
    ----------
    number : ndarray of int, shape (K, P)
        Groups of each kind in each part; none at first.
    off : ndarray of float, shape (C, P)
        Share of the class's images in the part, less the wished one.
    held : ndarray of int, shape (C, P)
        Groups of the part that hold the class.
    share_of_kind : ndarray of float, shape (K, C)
        Share of all images of a class in one group of the kind.
    """

    def __init__(self, kinds: np.ndarray, wished: np.ndarray, available: np.ndarray):
        self.kinds, self.wished, self.available = kinds, wished, available
        self.images = available @ kinds
        self.share_of_kind = kinds / self.images
        self.number = np.zeros((len(kinds), len(wished)), int)
        self.off = np.tile(-wished, (kinds.shape[1], 1))
        self.held = np.zeros(self.off.shape, int)

    def move(self, kind: int, change: np.ndarray) -> None:
        """Add to each part so many groups of a kind (P,)."""
        self.number[kind] += change
        self.off += np.outer(self.share_of_kind[kind], change)
        self.held += np.outer(self.kinds[kind] > 0, change)

    def badness(self) -> tuple[int, float, float]:
        """Return what is to be small: classes that parts lack, largest deviation, sum of their squares."""
        return int((self.held == 0).sum()), float(np.abs(self.off).max()), float((self.off**2).sum())

    def state(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return a copy of what `move` changes."""
        return self.number.copy(), self.off.copy(), self.held.copy()

    def restore(self, state: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
        """Go back to a state."""
        self.number, self.off, self.held = (array.copy() for array in state)

    def least_possible(self) -> float:
        """Return a deviation that no assignment can undercut, since images are whole."""
        ideal = self.images[:, None] * self.wished
        remainders = np.sort(ideal - np.floor(ideal + ROUNDING), axis=1)
        rounded_up = np.rint(remainders.sum(axis=1)).astype(int)
        parts = len(self.wished)
        # The largest remainders are rounded up, the others down.
        is_up = np.arange(parts) >= parts - rounded_up[:, None]
        return float((np.where(is_up, 1 - remainders, remainders).max(axis=1) / self.images).max())


def improve(hands: Hands, generator: np.random.Generator) -> None:
    """Exchange groups until that helps no more, start again from random moves, keep the best found; in place.

    An exchange gives a group, takes one, or both. It is made if it lowers how many classes a part lacks,
    else the largest deviation of the two parts, else the sum of the squares of their deviations. So a class
    that can become no better does not keep the others from it. The effort is bounded by a count, not by a
    clock: the result is the same on every machine.

    Parameters
    ----------
    hands
        All groups, dealt out.
    generator
        Draws the kinds that are tried, and the random moves.
    """
    effort, goal = BUDGET, hands.least_possible() * (1 + ROUNDING) + ROUNDING**2
    effort = descend(hands, generator, effort)
    best, best_state = hands.badness(), hands.state()
    while effort > 0 and (best[0] or best[1] > goal):
        kick(hands, generator)
        effort = descend(hands, generator, effort)
        if is_less(hands.badness(), best):
            best, best_state = hands.badness(), hands.state()
        else:
            hands.restore(best_state)


def is_less(new: tuple, old: tuple) -> bool:
    """Compare two badnesses, in order of importance and beyond rounding."""
    for ours, theirs in zip(new, old, strict=True):
        if abs(ours - theirs) > ROUNDING * max(abs(ours), abs(theirs)):
            return ours < theirs
    return False


def descend(hands: Hands, generator: np.random.Generator, effort: int) -> int:
    """Make exchanges between any two parts until none helps or the effort is spent; return what is left."""
    improved = True
    while improved and effort > 0:
        improved = False
        tried = kinds_tried(hands, generator)
        for giver, taker in combinations(range(len(hands.wished)), 2):
            exchange, looked_at = best_exchange(hands, tried, giver, taker)
            effort -= looked_at + OVERHEAD
            if exchange is not None:
                improved = True
                change = np.zeros(len(hands.wished), int)
                change[[giver, taker]] = -1, 1
                for kind, direction in zip(exchange, (1, -1), strict=True):
                    if kind >= 0:
                        hands.move(kind, direction * change)
    return effort


def kinds_tried(hands: Hands, generator: np.random.Generator) -> np.ndarray:
    """Return the kinds to exchange: all, or the smallest, which settle the last images, and some others."""
    count = len(hands.kinds)
    if count <= TRIED:
        return np.arange(count)
    by_size = np.argsort(hands.kinds.sum(axis=1), kind="stable")
    small, large = by_size[: TRIED // 2], by_size[TRIED // 2 :]
    return np.concatenate([small, generator.choice(large, TRIED - len(small), replace=False)])


def best_exchange(
    hands: Hands, tried: np.ndarray, giver: int, taker: int
) -> tuple[tuple[int, int] | None, int]:
    """Return the best exchange between two parts, and how many were looked at.

    Returns
    -------
    exchange : tuple of int, or None
        The kind of the group that goes, and of the one that comes back (-1 for none); None where no exchange
        helps.
    looked_at : int
        The number of exchanges.
    """
    # Kind -1 is no group at all; the pair of these is to leave things as they are.
    gone = np.append(tried[hands.number[tried, giver] > 0], -1)
    come = np.append(tried[hands.number[tried, taker] > 0], -1)
    shares = np.vstack([hands.share_of_kind, np.zeros(hands.kinds.shape[1])])
    moved = shares[gone][:, None] - shares[come][None]
    less, more = hands.off[:, giver] - moved, hands.off[:, taker] + moved
    worst = np.maximum(np.abs(less), np.abs(more)).max(axis=-1)
    spread = (less**2 + more**2).sum(axis=-1)
    lacking = np.zeros(worst.shape, int)
    if hands.held[:, [giver, taker]].min() <= 1:
        has = np.vstack([hands.kinds > 0, np.zeros(hands.kinds.shape[1], bool)]).astype(int)
        moved_groups = has[gone][:, None] - has[come][None]
        lacking += (hands.held[:, giver] - moved_groups == 0).sum(axis=-1)
        lacking += (hands.held[:, taker] + moved_groups == 0).sum(axis=-1)
    fewest = lacking == lacking.min()
    lowest = worst[fewest].min()
    candidates = np.where(fewest & (worst <= lowest * (1 + ROUNDING)), spread, np.inf)
    i, j = np.unravel_index(candidates.argmin(), candidates.shape)
    found, now = ((lacking[at], worst[at], spread[at]) for at in ((i, j), (-1, -1)))
    return ((int(gone[i]), int(come[j])) if is_less(found, now) else None), worst.size


def kick(hands: Hands, generator: np.random.Generator) -> None:
    """Move a few random groups to random parts; in place."""
    for _ in range(KICKS):
        kind, part = np.argwhere(hands.number > 0)[generator.integers((hands.number > 0).sum())]
        change = np.zeros(len(hands.wished), int)
        change[part] -= 1
        change[generator.integers(len(change))] += 1
        hands.move(kind, change)
