"""Model cards, with the sections of Mitchell et al., "Model Cards for Model Reporting" (FAT* 2019)."""

from brainmri.mapping import is_number
from brainmri.reporting.cards import fact, model_card_name, question, section, table
from brainmri.reporting.model_numbers import analyses, elsewhere, metric_names
from brainmri.reporting.names import class_title
from brainmri.reporting.numbers import UNKNOWN, flattened, metric_title, percent
from brainmri.reporting.words import initial_weights, joined, kept_epoch, place, versions

LEAD = (
    "A model card after Mitchell et al. (2019), filled from the artefacts by brainmri. What they do not tell "
    "is marked open, with the question that a person has to answer. For research only: no medical device, no "
    "diagnosis."
)


def model_card(
    runs: list[dict],
    split: dict,
    dataset: dict,
    warnings: list[dict],
    compared: list[dict],
    outside: list[dict] | None = None,
) -> dict:
    """Return the card of a model that was trained on a split, with one seed or several.

    Parameters
    ----------
    runs
        What `run_context` returned, one a seed.
    split, dataset
        What `split_context` and `dataset_context` returned.
    warnings
        The page's warnings; those of this model, split and data set are told.
    compared
        What `comparison_blocks` returned.
    outside
        What `external_context` returned as its rows; those of this model and split are told.
    """
    first = runs[0]
    where = f"{first['dataset']}, {first['split']}"
    return {
        "file": model_card_name(first["dataset"], first["split"], first["model"]),
        "title": f"Model card: {first['model']} on {where}",
        "lead": LEAD,
        "sections": [
            details(runs),
            intended_use(runs),
            factors(runs, dataset),
            metrics(first),
            evaluation_data(first, split),
            training_data(first, split),
            analyses(runs, compared),
            *elsewhere([row for row in outside or [] if is_of(row, first)]),
            ethics(dataset),
            caveats(runs, split, dataset, warnings),
        ],
    }


def is_of(row: dict, run: dict) -> bool:
    """Tell whether a row of `external_context` is of a training, on a data set that it is not from."""
    same = (row["trained_on"], row["split"], row["model"]) == (run["dataset"], run["split"], run["model"])
    return same and not row["own"]


def details(runs: list[dict]) -> dict:
    """Return what the model is, and how it came about."""
    metadata, link = runs[0]["metadata"], runs[0]["links"]["model"]
    recipe = dict(runs[0]["recipe"])
    trainings = [
        [
            str(run["seed"]),
            f"{run['best_epoch']} of {run['epochs']}",
            kept_epoch(run),
            run["device"],
            run["precision"],
            run["duration"],
            str(run["metadata"].get("weights_sha256") or UNKNOWN)[:12],
        ]
        for run in runs
    ]
    head = ["Seed", "Epoch kept", "It is", "Device", "Precision", "Training took", "Weights SHA-256"]
    return section(
        "Model details",
        fact("architecture", str(metadata.get("architecture", UNKNOWN)), link),
        fact("parameters", str(metadata.get("parameters", UNKNOWN)), link),
        fact("input", f"one gray image of {recipe.get('image_size', UNKNOWN)} pixels a side", link),
        fact("trained", f"from {initial_weights(runs[0])}", link),
        fact("recipe", joined(runs[0]["recipe"]), link),
        fact("versions", versions(runs[0]), link),
        table("Trainings, one a seed", head, trainings, *[run["links"]["model"] for run in runs]),
        question(
            "Who answers for this model, how can they be reached, and under which licence may it be used?"
        ),
    )


def intended_use(runs: list[dict]) -> dict:
    """Return what the model is for, and what it is not for."""
    classes = ", ".join(map(class_title, runs[0]["metadata"]["classes"]))
    referral = runs[0]["referral"].get("confidence")
    under = percent(referral) if is_number(referral) else None
    return section(
        "Intended use",
        fact("made for", f"research on telling single MRI slices of the head apart into {classes}"),
        fact(
            "out of scope",
            "diagnosis, screening, triage, or any decision on a patient: it is no medical device. Classes "
            "other than these, pictures that are no MRI slice of a head, and whole examinations",
        ),
        fact(
            "referral", f"a case of a confidence under {under} is uncertain", runs[0]["links"]["calibration"]
        )
        if under
        else None,
        question("Who is to use it, in which setting, and which decision would its answer change?"),
    )


def factors(runs: list[dict], dataset: dict) -> dict:
    """Return the groups that the numbers are told for, and those that they are not told for."""
    known = f"{dataset['patients']} patient ids" if dataset["patients"] else "no patient ids"
    return section(
        "Factors",
        fact(
            "told for",
            "each class, over groups of images (one patient's, and copies)",
            runs[0]["links"]["metrics"],
        ),
        fact("patients", f"the data set has {known}", dataset["links"]["inventory"]),
        question(
            "How does it do by age, sex, origin, tumour grade, scanner, field strength, sequence, contrast, "
            "plane and hospital? No artefact tells these apart."
        ),
    )


def metrics(run: dict) -> dict:
    """Return how the model was judged."""
    names = ", ".join(map(metric_title, metric_names(run)))
    intervals, link = run["intervals"], run["links"]["metrics"]
    level = percent(intervals.get("level"), 0)
    return section(
        "Metrics",
        fact("measures", names or UNKNOWN, link),
        fact(
            "intervals",
            f"{level}; {intervals.get('method', UNKNOWN)}; {intervals.get('resamples', UNKNOWN)} resamples",
            link,
        ),
        fact(
            "decision", "the class of the largest probability, after a temperature fitted on validation", link
        ),
        question("Which errors weigh most for the use in mind, and which sensitivity does it need at least?"),
    )


def part_table(split: dict, parts: tuple[str, ...]) -> dict:
    """Return the table of some parts of a split, by class."""
    rows = [
        [part["title"], str(part["images"]), str(part["groups"])]
        + [f"{cell['count']} ({cell['share']})" for cell in part["classes"]]
        for part in split["parts"]
        if part["name"] in parts
    ]
    return table("Images", ["Part", "Images", "Groups", *split["class_names"]], rows, *split["links"])


def evaluation_data(run: dict, split: dict) -> dict:
    """Return what the model was tested on, and what of it was known from training."""
    told = split["no_leak"] if split["leakage"]["free"] else split["leak"]
    return section(
        "Evaluation data",
        fact(
            "data set and split",
            f"{run['dataset']}, {run['split']} (protocol {run['protocol']})",
            split["links"][1],
        ),
        part_table(split, ("test",)),
        fact("leakage", told, split["links"][0]),
        question("Why were these data chosen, and whom do they stand for?"),
    )


def training_data(run: dict, split: dict) -> dict:
    """Return what the model was trained on, and how the images were prepared."""
    crop, recipe = run["metadata"].get("crop"), dict(run["recipe"])
    augment = {key: text for key, text in recipe.items() if key.split(".")[0] == "augment"}
    leak = split["leakage"]
    return section(
        "Training data",
        part_table(split, ("train", "val")),
        fact(
            "validation",
            f"{leak['val_in_train']} of {leak['val']} images are known from training",
            split["links"][0],
        ),
        fact("crop", joined(flattened(crop)), run["links"]["model"]) if crop else None,
        fact("augmentation", joined(list(augment.items())), run["links"]["model"]) if augment else None,
    )


def ethics(dataset: dict) -> dict:
    """Return what is known of the people behind the images."""
    provenance = dict(dataset["provenance"])
    return section(
        "Ethical considerations",
        fact(
            "licence of the data",
            provenance.get("licence", "not recorded"),
            dataset["links"]["fetch"],
        ),
        fact("patients", "none: the images were drawn", dataset["links"]["fetch"])
        if provenance.get("kind") == "phantom"
        else question(
            "Did the patients consent, and did an ethics committee agree to this use of their images?"
        ),
        question("Whom could a wrong answer harm, and how would that be noticed?"),
    )


def caveats(runs: list[dict], split: dict, dataset: dict, warnings: list[dict]) -> dict:
    """Return what the page warns of."""
    places = {place(split), dataset["name"], f"{split['dataset']}, {runs[0]['model']}"}
    return section(
        "Caveats and recommendations",
        *[
            fact(
                warning["level"],
                f"{warning['where']}: {warning['text']}",
                *warning["links"],
            )
            for warning in warnings
            if warning["where"] in places
        ],
        fact("intervals", "they speak of other samples of the same source, not of other hospitals"),
        question("What else must someone know who would build on this model?"),
    )
