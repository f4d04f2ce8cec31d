"""Answers to checklists about models, their training and their numbers."""

from brainmri.mapping import is_number
from brainmri.reporting.answers_data import answer, listed
from brainmri.reporting.model_numbers import metric_names
from brainmri.reporting.numbers import UNKNOWN, metric_title, percent
from brainmri.reporting.words import initial_weights, joined, kept_epoch, versions
from brainmri.study import Study

TOLD_OF_RECIPE = (
    "epochs",
    "batch_size",
    "optimizer",
    "schedule",
    "augment",
    "early_stopping",
    "label_smoothing",
)


def model_answers(study: Study, context: dict) -> dict[str, dict | None]:
    """Return what trained models, their metrics and the comparison answer; None where they do not."""
    runs, table = context["runs"], context["comparison"]["link"]
    first = list({run["model"]: run for run in reversed(runs)}.values())[::-1]
    described = [run["links"]["model"] for run in first]
    measured = [run["links"]["metrics"] for run in first]
    classes = ", ".join(context["class_names"])
    told = [line for line in context["warnings"] if line["level"] != "note"]
    answers = {
        "technology": answer(
            "Deep learning, classification of single slices by " + ", ".join(architectures(first)) + ".",
            *described,
        ),
        "use": answer("For research only: no medical device, no diagnosis."),
        "goal": answer(
            f"Development and evaluation of {len(study.models)} models that tell MRI slices apart into "
            f"{classes}, under {len(study.splits)} protocols: {', '.join(study.splits)}.",
            table,
        ),
        "predictors": answer(
            "The pixels of one slice are the only predictor; none was chosen beforehand.", *described
        ),
        "calculation": answer(
            "By the network in model.safetensors, its logits divided by the temperature in calibration.json, "
            "then softmax; `brainmri predict` does the same for new images.",
            *[run["links"]["calibration"] for run in first],
        ),
        "output": answer(output_words(first, classes), *[run["links"]["calibration"] for run in first]),
        "explained": explained(first),
        "imbalance": imbalance(study, described),
        "claims": answer(
            listed(
                [f"{c['system']} claims {c['claimed']} {c['metric']} on {c['on']}" for c in context["claims"]]
            )
        ),
        "limits": answer(
            listed([f"{line['where']}: {line['text']}" for line in told])
            + " Intervals speak of other samples of the same source alone.",
            *[link for line in told for link in line["links"]],
        ),
        "poor_input": answer(
            "Files that cannot be decoded are refused with a reason, and a case of a confidence under the "
            "threshold is told as uncertain.",
            *[run["links"]["calibration"] for run in first],
        ),
        "handling": answer(
            "`brainmri predict` takes image files as they are; nothing is drawn or chosen by hand."
        ),
    }
    return answers | training_answers(study, first, runs, described, measured)


def training_answers(
    study: Study, first: list[dict], runs: list[dict], described: list[dict], measured: list[dict]
) -> dict[str, dict | None]:
    """Return what is known of how models were built, trained, chosen and judged."""
    intervals = first[0]["intervals"] if first else {}
    names = ", ".join(map(metric_title, metric_names(first[0]))) if first else ""
    seeds, kept = ", ".join(map(str, study.seeds)), ", or ".join(sorted({kept_epoch(run) for run in runs}))
    return {
        "model": answer(
            listed(
                [
                    f"{run['model']}: {run['metadata'].get('architecture', UNKNOWN)}, "
                    f"{run['metadata'].get('parameters', UNKNOWN)} parameters, one gray image of "
                    f"{study.models[run['model']].get('image_size', UNKNOWN)} pixels a side"
                    for run in first
                ]
            ),
            *described,
        ),
        "versions": answer(listed(sorted({versions(run) for run in runs})), *described),
        "initial": answer(listed([f"{run['model']}: {initial_weights(run)}" for run in first]), *described),
        "training": answer(
            listed([f"{run['model']}: {joined(told_of_recipe(run))}" for run in first])
            + f" {len(runs)} models were trained, with the seeds {seeds}.",
            *described,
        ),
        "selection": answer(
            f"The epoch kept is {kept}; the model named first is that of the highest "
            "macro-F1 on validation. No choice is made by test images.",
            *described,
        ),
        "metrics": answer(
            f"{names}; calibration error and reliability before and after the temperature, selective "
            "prediction, and the curves of ROC, precision and recall, risk and coverage, and net benefit.",
            *measured,
        ),
        "uncertainty": answer(
            f"{percent(intervals.get('level'), 0)} intervals: {intervals.get('method', UNKNOWN)}; "
            f"{intervals.get('resamples', UNKNOWN)} resamples. Seeds are told apart from them.",
            *measured,
        ),
        "robustness": answer(
            f"The same recipes under {len(study.splits)} protocols, with {len(study.seeds)} "
            f"seed{'s' if len(study.seeds) > 1 else ''} each.",
            *measured,
        ),
        "technical": answer(
            "The study follows from its configuration; every artefact holds the digest of what it was made "
            "from.",
            *described,
        ),
        "availability": answer(listed([weights(run) for run in first]) + " " + CODE, *described),
        "code": answer(CODE, *described),
        "specification": answer(
            listed([weights(run) for run in first])
            + " model.json holds all that is needed to use them, and `brainmri export` writes ONNX.",
            *described,
        ),
    }


CODE = "The code is brainmri, under the MIT licence; its version stands in model.json."


def told_of_recipe(run: dict) -> list[tuple[str, str]]:
    """Return of a recipe what shapes training most; model.json has all of it."""
    return [(name, text) for name, text in run["recipe"] if name.split(".")[0] in TOLD_OF_RECIPE]


def explained(runs: list[dict]) -> dict | None:
    """Return by which methods the models were explained; None where none was."""
    known = [(run, run["explained"]) for run in runs if run.get("explained")]
    told = [
        f"{run['model']}: {', '.join(shown['columns'])} of {shown['images']} test images, beside checks of "
        "whether they can be believed"
        for run, shown in known
    ]
    return answer(listed(told), *[link for _, shown in known for link in shown["links"]]) if told else None


def architectures(runs: list[dict]) -> list[str]:
    """Return the architectures of some trainings, each once."""
    return list(dict.fromkeys(str(run["metadata"].get("architecture", UNKNOWN)) for run in runs))


def weights(run: dict) -> str:
    """Return which weights a model has."""
    return f"{run['model']}: weights with SHA-256 {run['metadata'].get('weights_sha256') or UNKNOWN}"


def output_words(runs: list[dict], classes: str) -> str:
    """Return what a model puts out, and its referral thresholds."""
    known = [(run["model"], run["referral"].get("confidence")) for run in runs]
    told = [f"{model} {percent(confidence)}" for model, confidence in known if is_number(confidence)]
    text = f"A temperature-scaled probability of each of {classes}, and the class of the largest."
    return (
        f"{text} Fitted on validation, the confidence under which a case is referred: {', '.join(told)}."
        if told
        else text
    )


def imbalance(study: Study, described: list[dict]) -> dict:
    """Return what was done about rare classes."""
    told = [
        f"{name}: "
        f"{joined([(key, str(recipe[key])) for key in ('sampler', 'class_weights') if recipe.get(key)])}"
        for name, recipe in study.models.items()
        if recipe.get("class_weights") or recipe.get("sampler", "shuffled") != "shuffled"
    ]
    if not told:
        return answer("No method against class imbalance was used.", *described)
    return answer(
        f"{listed(told)} Probabilities are recalibrated by a temperature on validation.", *described
    )
