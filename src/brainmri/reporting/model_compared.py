"""What a model card says of a model beside others: baselines, models, protocols, and what probes show."""

from brainmri.reporting.cards import table
from brainmri.reporting.words import with_interval, without


def comparison_blocks(run: dict, context: dict) -> list[dict]:
    """Return the tables of a model beside baselines, other models, leaking protocols, and probes.

    Parameters
    ----------
    run
        What `run_context` returned for one training of the model.
    context
        What `page_context` returned.
    """
    place = run["dataset"], run["split"]
    return [
        block
        for block in (
            beside_baselines(
                context["beside"].get((*place, run["model"]), []), context["baselines"].get(place)
            ),
            against_models(run, [own for own in context["pairs"] if (own["dataset"], own["split"]) == place]),
            under_protocols(run, context["leakage"]),
            probed(run, context["probes"]),
        )
        if block is not None
    ]


def beside_baselines(rows: list[dict], baselines: dict | None) -> dict | None:
    """Return the table of what is scored without learning anything of tumours."""
    if not rows or baselines is None:
        return None
    cells = [
        [
            *(row["title"], row["value"], f"{row['text']} ({row['range']})", row["p_value_holm"]),
            "yes" if row["beaten"] else "does worse" if row["worse"] else "not shown",
        ]
        for row in rows
    ]
    head = ["Baseline", "Its accuracy", "The model's less it, points", "p, Holm", "Beaten"]
    return table("Beside baselines, on the same test images", head, cells, baselines["link"])


def against_models(run: dict, tables: list[dict]) -> dict | None:
    """Return the table of the pairs that the model is one of, each told by its better model."""
    cells = [
        [
            row["other"] if row["better"] == run["model"] else row["better"],
            "better" if row["better"] == run["model"] else "worse",
            f"{row['accuracy']['text']} ({row['accuracy']['range']})",
            row["p_value_holm"],
            "yes" if row["significant"] else "no",
        ]
        for own in tables
        for row in own["rows"]
        if run["model"] in (row["better"], row["other"])
    ]
    if not cells:
        return None
    head = ["Other model", "This one is", "Accuracy, better less worse, points", "p, Holm", "Significant"]
    return table("Beside the other models, on the same test images", head, cells, tables[0]["link"])


def under_protocols(run: dict, leakage: dict) -> dict | None:
    """Return the table of what the model scores under a protocol that leaks and one that does not."""
    cells = [
        [
            f"{row['split']} and {row['free_split']}{without(row['absent'])}",
            metric["title"],
            with_interval(metric["leaking"]),
            with_interval(metric["equal_mix"]),
            with_interval(metric["free"]),
            f"{metric['difference']} points ({metric['range']})",
        ]
        for own in leakage["tables"]
        if own["dataset"] == run["dataset"]
        for row in own["rows"]
        if row["model"] == run["model"] and run["split"] in (row["split"], row["free_split"])
        for metric in row["metrics"]
    ]
    head = [
        "Splits",
        "Metric",
        "With leak",
        "With leak, at the other's mix",
        "Leak-free",
        "Difference, points",
    ]
    return table("With leak and without", head, cells, leakage["link"]) if cells else None


def probed(run: dict, probes: list[dict]) -> dict | None:
    """Return the table of what the model's recipe scores, briefly trained, on images without the lesion."""
    place = ("dataset", "split", "model")
    own = next((one for one in probes if all(one[key] == run[key] for key in place)), None)
    if own is None:
        return None
    cells = [
        [row["title"], row["saw"], with_interval(row["metrics"][0]), row["metrics"][0]["chance"]]
        for row in own["rows"]
    ]
    head = ["Probe", "It saw", "Balanced accuracy", "Chance"]
    return table(f"Probes: the same recipe, {own['epochs']} epochs", head, cells, own["links"][0])
