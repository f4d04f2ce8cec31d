"""Whose images are known, and what the page can say of patients because of it."""

import pandas as pd


def patients_across(inventory: pd.DataFrame) -> dict[str, dict] | None:
    """Count the source's test images whose patient is in its training part, in all and by class.

    Parameters
    ----------
    inventory
        ``inventory.parquet``.

    Returns
    -------
    dict or None
        ``{"all": {"count", "of", "unknown"}, class: {...}}``, `unknown` being images without patient; None
        where no test image has a patient that is known.
    """
    usable = inventory[inventory["status"] == "ok"]
    test = usable[usable["source_split"] == "test"]
    if not test["patient_id"].notna().any():
        return None
    trained = usable.loc[usable["source_split"] == "train", "patient_id"].dropna()

    def counted(rows: pd.DataFrame) -> dict:
        unknown = rows["patient_id"].isna()
        known = rows["patient_id"].isin(trained) & ~unknown
        return {"count": int(known.sum()), "of": len(rows), "unknown": int(unknown.sum())}

    return {"all": counted(test), **{label: counted(rows) for label, rows in test.groupby("label")}}


def across_words(counts: dict, copies: int) -> str:
    """Return in a sentence how many test images are known from training by their patient or by a copy.

    Parameters
    ----------
    counts
        The entry ``all`` of `patients_across`.
    copies
        How many of them have a copy in training.
    """
    count, total = counts["count"], counts["of"]
    have = "has its" if count == 1 else "have their"
    if count == total:
        text = f"All {total} published test images have their patient in training"
    elif count:
        text = f"{count} of {total} published test images {have} patient in training"
    else:
        text = f"None of {total} published test images has a known patient in training"
    if counts["unknown"]:
        text += f" (the patient of {counts['unknown']} is not known)"
    if not copies:
        return f"{text}; none was found to have a copy there."
    if count == total:
        return f"{text}; {copies} {'is a copy' if copies == 1 else 'are copies'} besides."
    return f"{text}; {copies} {'has' if copies == 1 else 'have'} a copy there."


def leak_words(leakage: dict) -> str:
    """Return in a sentence which test images of a split that leaks are known, and what that means.

    Parameters
    ----------
    leakage
        What `page_data.leakage` returned.
    """
    in_train, in_val, of = leakage["test_in_train"], leakage["test_in_val"], leakage["test"]
    if in_train:
        besides = f", {in_val} in validation" if in_val else ""
        return (
            f"{in_train} of {of} test images ({leakage['test_in_train_share']}) have their patient or a copy "
            f"in training{besides}: the numbers do not show how a model does on new patients"
        )
    if in_val:
        return (
            f"{in_val} of {of} test images have their patient or a copy in validation, which chose the "
            "epoch and the temperature"
        )
    return "of some images the group is not known, so leaks cannot be ruled out"


def no_leak_words(patients: pd.Series) -> str:
    """Return what it means that no group of a split leaks: less where patients are not known.

    Parameters
    ----------
    patients
        The patient of each image of the split; null where not known.
    """
    unknown, total = int(patients.isna().sum()), len(patients)
    where = "in training or validation"
    if not unknown:
        return f"no test image has its patient or a copy {where}"
    known = "" if unknown == total else " or a known patient"
    return (
        f"no test image was found to have a copy{known} {where}; {unknown_words(unknown, total)}, so slices "
        "of one may be on both sides"
    )


def unknown_words(unknown: int, total: int) -> str:
    """Return of how many images the patient is not known."""
    if unknown == total:
        return "patients are not known"
    return f"the patient of {unknown} of {total} images is not known"
