"""What the page says of where a model looks, and of whether that can be believed."""

from collections.abc import Iterable
from statistics import fmean

from brainmri.artefacts import read_json, read_parquet
from brainmri.mapping import is_number
from brainmri.reporting.embedding import Artefacts
from brainmri.reporting.names import MAP_TITLES, run_title
from brainmri.reporting.numbers import UNKNOWN, percent, signed
from brainmri.study import Run, Study

# Maps that know nothing of the model, to compare with.
TRIVIAL = {"random": "random map", "centre": "centre bump"}
METHODS = MAP_TITLES | TRIVIAL
# Name in explain.json: what it is, what is good, and whether it is printed in percent.
CHECKS = {
    "similarity": ("similarity under random weights", "near 0", False),
    "insertion": ("insertion area", "high", False),
    "deletion": ("deletion area", "low", False),
    "border_share": ("mass on the border (outer tenth)", "low", True),
    "outside_share": ("mass outside of the head", "low", True),
    "lesion_hit": ("peak in the true lesion", "high", True),
    "lesion_share": ("mass in the true lesion", "high", True),
    "lesion_iou": ("overlap with the true lesion (IoU)", "high", False),
}
ALIKE = 0.5  # rank correlation over which two maps show the same


def explain_context(study: Study, run: Run, artefacts: Artefacts, embedded: bool) -> dict | None:
    """Return what the page says of a training's explanations; None where the study has none.

    Parameters
    ----------
    study
        The study.
    run
        The training.
    artefacts
        Collects the files that are shown.
    embedded
        Whether the panel becomes part of the page; otherwise it is linked.
    """
    if not study.explain.get("images"):
        return None
    folder = run.folder / "explain"
    summary = read_json(folder / "explain.json")
    methods = {name: summary["methods"][name] for name in METHODS if name in summary["methods"]}
    areas = read_parquet(folder / "explain.parquet", ["lesion_area"])["lesion_area"].dropna()
    links = [artefacts.link(folder / name) for name in ("explain.json", "explain.parquet")]
    panel = folder / "panel.png"
    title = run_title(run.dataset, run.split, run.model, run.seed)
    alt = (
        f"Test images with Grad-CAM and occlusion maps of {title}; "
        "the table beside it says how far they can be believed"
    )
    return {
        "figure": artefacts.figure(panel, alt) if embedded else None,
        "links": links if embedded else [*links, artefacts.link(panel)],
        "images": summary["n_images"],
        "groups": summary["n_groups"],
        "kinds": ", ".join(f"{count} {kind}" for kind, count in summary["kinds"].items()),
        "layer": " × ".join(map(str, (summary["layer"] or {}).get("size", []))),
        "omitted": [f"{METHODS[name]} is left out: {why}." for name, why in summary["omitted"].items()],
        "findings": [words for name in MAP_TITLES for words in findings(name, methods, areas)],
        "columns": [METHODS[name] for name in methods],
        "rows": check_rows(methods),
        "lesions": summary["n_lesions"],
    }


def check_rows(methods: dict[str, dict]) -> list[dict]:
    """Return a row of the table for each check that any method has."""
    return [
        {
            "name": words,
            "good": good,
            "values": [
                printed(entries.get(name), in_percent, limits=method not in TRIVIAL)
                for method, entries in methods.items()
            ],
        }
        for name, (words, good, in_percent) in CHECKS.items()
        if any(name in entries for entries in methods.values())
    ]


def printed(entry: dict | None, in_percent: bool, limits: bool) -> dict:
    """Return a check's mean, ready to print; with its interval where `limits` are wished."""
    entry = entry or {}
    value, low, high = (entry.get(key) for key in ("value", "low", "high"))
    known = limits and is_number(low) and is_number(high)
    if in_percent:
        span = f"{100 * low:.0f}–{100 * high:.0f}" if known else ""
        return {"text": percent(value, 0), "range": span, "bar": None}
    span = f"{hundredths(low)} to {hundredths(high)}" if known else ""
    return {"text": hundredths(value), "range": span, "bar": None}


def hundredths(value: float | None) -> str:
    """Return a number of two decimals, or a dash where there is none."""
    return signed(value, 2) if is_number(value) else UNKNOWN


def findings(name: str, methods: dict[str, dict], lesion_areas: Iterable[float] = ()) -> list[str]:
    """Return what the checks say of one method, in sentences; none where it was left out.

    Parameters
    ----------
    name
        Of the method.
    methods
        The entries of ``explain.json`` by method.
    lesion_areas
        The shares of the images that their lesions take: how often a point drawn at random lies in one.
    """
    own, random = methods.get(name), methods.get("random", {})
    if own is None:
        return []
    title, words = METHODS[name][0].upper() + METHODS[name][1:], []
    if own.get("n_constant"):
        words.append(f"{title} says nothing for {own['n_constant']} of {own['n_images']} images.")
    if "similarity" in own:
        words.append(f"{title}: {similarity_words(own['similarity'])}")
    if "insertion_over_random" in own and "insertion" in random:
        areas = f"insertion area {hundredths(own['insertion']['value'])} against "
        areas += f"{hundredths(random['insertion']['value'])} for a random map"
        words.append(f"{title}: {areas}; {difference_words(own['insertion_over_random'])}")
    if "lesion_hit" in own:
        words.append(f"{title}: {hit_words(own['lesion_hit'], list(lesion_areas))}")
    return words


def hit_words(hit: dict, lesion_areas: list[float]) -> str:
    """Return how many peaks lie in the true lesion, and how many would by chance."""
    low, high = hit["low"], hit["high"]
    known = is_number(low) and is_number(high)
    limits = f" (95 % interval {100 * low:.0f}–{100 * high:.0f} %)" if known else ""
    chance = f"; by chance {percent(fmean(lesion_areas))}" if lesion_areas else ""
    count = round(hit["value"] * hit["n_images"])
    return f"{count} of {hit['n_images']} peaks lie in the true lesion{limits}{chance}."


def similarity_words(entry: dict) -> str:
    """Return whether maps change when the weights are drawn anew."""
    value, low, high = (entry.get(key) for key in ("value", "low", "high"))
    least, most = (low if is_number(low) else value), (high if is_number(high) else value)
    verdict = "the maps change"
    if least > ALIKE:
        verdict = "the maps hardly change, so they show the image and not what was learnt,"
    elif most > ALIKE:
        verdict = "the maps may hardly change"
    return f"{verdict} when the weights are drawn anew (similarity {hundredths(value)})."


def difference_words(entry: dict) -> str:
    """Return whether a map beats a trivial one, by the interval of the difference."""
    low, high = entry.get("low"), entry.get("high")
    if not (is_number(low) and is_number(high)):
        return "too few groups to tell them apart."
    limits = f"(difference {hundredths(entry['value'])}, {hundredths(low)} to {hundredths(high)})"
    if low > 0:
        return f"it is better {limits}."
    return f"it is worse {limits}." if high < 0 else f"that is no clear difference {limits}."
