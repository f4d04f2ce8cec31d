"""Answers to checklists from tests on the same images: of models, baselines, protocols and probes."""

from brainmri.reporting.answers_data import answer, listed
from brainmri.reporting.page_probes import told
from brainmri.reporting.words import with_interval, without


def compared_answers(context: dict) -> dict[str, dict | None]:
    """Return what pairs, baselines, protocol differences and probes answer; None where there are none.

    Parameters
    ----------
    context
        What `page_context` returned.
    """
    return {
        "compared": compared(context["pairs"]),
        "baselines": beside_baselines(context),
        "leakage": leakage(context["leakage"]),
        "probes": probes(context["probes"]),
    }


def compared(tables: list[dict]) -> dict | None:
    """Return how many pairs of models differ, by which test, and the pair that differs most."""
    if not tables:
        return None
    told = [
        f"{table['dataset']}, {table['split']}: {table['different']} of {len(table['rows'])} pairs of models "
        f"differ significantly in accuracy (p < 0.05 after Holm's adjustment); {pair_words(table['rows'][0])}"
        for table in tables
    ]
    how = (
        "Two models at a time, on the same test images: McNemar's exact test, or all swaps of whole groups "
        "where groups hold several images; p-values adjusted by Holm over the pairs of a split. "
    )
    return answer(how + listed(told), tables[0]["link"])


def pair_words(row: dict) -> str:
    """Return a pair of models in words, the better first."""
    return (
        f"{row['better']} less {row['other']} {row['accuracy']['text']} points ({row['accuracy']['range']}), "
        f"p after Holm {row['p_value_holm']}"
    )


def beside_baselines(context: dict) -> dict | None:
    """Return what is scored without learning, and how far the best leak-free models lie above it."""
    told, links = [], []
    for leader in context["best"]:
        place = leader["dataset"], leader["split"]
        rows = context["beside"].get((*place, leader["model"]), [])
        if not rows or place not in context["baselines"]:
            continue
        beside = "; ".join(
            f"{row['title']} {row['value']} ({row['text']} points to the model, {row['range']}"
            f"{'' if row['beaten'] else ': does worse' if row['worse'] else ': not shown to be beaten'})"
            for row in rows
        )
        told.append(f"{', '.join(place)}: {leader['model']} beside what is scored without learning: {beside}")
        links.append(context["baselines"][place]["link"])
    return answer(listed(told), *links) if told else None


def leakage(context: dict) -> dict | None:
    """Return how much of each model's accuracy under a leaking protocol was leakage."""
    told = [
        f"{table['dataset']}, {row['model']}: {metric['title']} under {row['split']}, which leaks, "
        f"{with_interval(metric['equal_mix'])} at the class mix of {row['free_split']} "
        f"({with_interval(metric['leaking'])} at its own), under {row['free_split']} "
        f"{with_interval(metric['free'])}: a difference of {metric['difference']} points ({metric['range']})"
        f"{without(row['absent'])}"
        for table in context["tables"]
        for row in table["rows"]
        for metric in row["metrics"][:1]
    ]
    return answer(listed(told), context["link"]) if told else None


def probes(context: list[dict]) -> dict | None:
    """Return what each probe scored of what has no lesion to learn from."""
    lines = [
        f"{split['dataset']}, {split['split']}: {split['model']}, {split['epochs']} epochs, images altered: "
        + "; ".join(f"{row['title']} {told(row)}" for row in split["rows"])
        for split in context
    ]
    return answer(listed(lines), *[split["links"][0] for split in context]) if lines else None
