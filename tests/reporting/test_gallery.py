"""Which predictions the gallery shows."""

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from brainmri.reporting.gallery import RIGHT, WRONG, chosen_predictions

ANSWERS = st.lists(st.tuples(st.booleans(), st.floats(0.25, 1)), max_size=40)


@given(answers=ANSWERS, seed=st.integers(0, 5))
def test_the_surest_mistakes_are_shown_first(answers, seed):
    table = pd.DataFrame(
        {
            "image_id": [f"{number:02d}" for number in range(len(answers))],
            "label": ["a"] * len(answers),
            "predicted": ["a" if is_right else "b" for is_right, _ in answers],
            "confidence": [confidence for _, confidence in answers],
        }
    )
    shown = chosen_predictions(table, seed)
    mistakes = sorted((c for is_right, c in answers if not is_right), reverse=True)
    count = min(len(mistakes), WRONG)
    assert list(shown["confidence"][:count]) == mistakes[:count]
    assert (shown["predicted"][count:] == "a").all()
    assert len(shown) == min(count + sum(is_right for is_right, _ in answers), WRONG + RIGHT)
    assert list(chosen_predictions(table, seed)["image_id"]) == list(shown["image_id"])
