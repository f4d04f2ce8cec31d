"""Answers to checklists that are numbers: how well models do, what leaks, where they err."""

from brainmri.reporting.answers_data import answer, listed
from brainmri.reporting.page_external import believed
from brainmri.reporting.words import value, with_interval, without
from brainmri.study import Study

OUTSIDE = "leave_one_out"
DIAGNOSTIC = ("recall (sensitivity)", "specificity")


def number_answers(study: Study, context: dict) -> dict[str, dict | None]:
    """Return what metrics and the comparison answer; None where they do not."""
    runs, tables, best = (context[key] for key in ("runs", "tables", "best"))
    link = context["comparison"]["link"]
    performance = answer(f"{listed(table_words(tables))} {all_numbers(study)}", link)
    return {
        "internal": performance,
        "performance": performance,
        "external": external(context["splits"], tables, link, context["external"]),
        "per_class": per_class(best, runs),
        "failures": failures(best, runs),
    }


def table_words(tables: list[dict]) -> list[str]:
    """Return accuracy and macro-F1 of every model under the leak-free split, else under all."""
    return [
        f"{table['dataset']}, {column['name']} ({'leak-free' if column['leakage']['free'] else 'leaks'}; "
        f"{column['images']} images, {column['groups']} groups{without(column['untested'])}), "
        f"{row['model']}: accuracy "
        f"{with_interval(cell['accuracy'])}, macro-F1 {with_interval(cell['macro_f1'])}"
        for table in tables
        for row in table["rows"]
        for column, cell in zip(table["columns"], row["cells"], strict=True)
        if table["base"] in (None, column["name"])
    ]


def all_numbers(study: Study) -> str:
    """Return what the numbers are over seeds, and where all of them stand."""
    means = f"Values and limits are means over {len(study.seeds)} seeds. "
    return (means if len(study.seeds) > 1 else "") + "The table has every protocol."


def external(splits: list[dict], tables: list[dict], link: dict, matrix: dict | None) -> dict | None:
    """Return the numbers of tests on a data set that was not trained on; None where there are none.

    Parameters
    ----------
    splits, tables
        What `split_context` and `summary_tables` returned.
    link
        Of the comparison.
    matrix
        What `external_context` returned.
    """
    outside = {(split["dataset"], split["name"]) for split in splits if split["protocol"] == OUTSIDE}
    told = [
        f"Trained on the rest of {table['dataset']}, tested on another set ({column['name']}), "
        f"{row['model']}: accuracy "
        f"{with_interval(cell['accuracy'])}, macro-F1 {with_interval(cell['macro_f1'])}"
        for table in tables
        for row in table["rows"]
        for column, cell in zip(table["columns"], row["cells"], strict=True)
        if (table["dataset"], column["name"]) in outside
    ]
    links = [link] if told else []
    if matrix:
        told += outside_words(believed([row for row in matrix["rows"] if not row["own"]], tables))
        links.append(matrix["link"])
    return answer(listed(told), *links) if told else None


def outside_words(rows: list[dict]) -> list[str]:
    """Return what each model scores on other data sets, beside its own test part among the same classes."""
    return [
        f"Trained on {row['trained_on']} ({row['split']}), tested on {row['tested_on']} without its copies "
        f"({row['images']} images, {row['groups']} groups; {', '.join(row['classes'])}), {row['model']}: "
        f"accuracy {with_interval(row['values'][0])}, on its own test part {with_interval(row['at_home'])}, "
        f"difference {row['points']} points ({row['range']})"
        if row["images"]
        else f"Trained on {row['trained_on']} ({row['split']}), {row['model']} has no image of "
        f"{row['tested_on']} left to be tested on"
        for row in rows
    ]


def of_best(best: list[dict], runs: list[dict]) -> list[tuple[dict, dict]]:
    """Return each data set's best leak-free model, with its first training."""
    return [(leader, next(run for run in runs if run["anchor"] == leader["anchor"])) for leader in best]


def per_class(best: list[dict], runs: list[dict]) -> dict | None:
    """Return sensitivity and specificity of each class, of the best leak-free models."""
    told, links = [], []
    for leader, run in of_best(best, runs):
        places = [
            run["per_class"]["columns"].index(name)
            for name in DIAGNOSTIC
            if name in run["per_class"]["columns"]
        ]
        for row in run["per_class"]["rows"]:
            values = ", ".join(
                f"{run['per_class']['columns'][place]} {with_interval(row['values'][place])}"
                for place in places
            )
            told.append(f"{leader['dataset']}, {leader['split']}, {run['title']}, {row['name']}: {values}")
        links.append(run["links"]["metrics"])
    return answer(listed(told), *links) if told else None


def failures(best: list[dict], runs: list[dict]) -> dict | None:
    """Return how many errors the best leak-free models make, and how sure they are of them."""
    told, links = [], []
    for leader, run in of_best(best, runs):
        wrong, sure = run["confusion"]["errors"], value("accuracy", run["referral"].get("sure_errors"))
        how = f", of these {sure} with a confidence over 90 %; the gallery shows those of which it was surest"
        told.append(
            f"{leader['dataset']}, {leader['split']}, {run['title']}: {wrong} of {run['images']} test images "
            f"are named wrong{how if wrong else ''}"
        )
        links += [run["links"]["metrics"], run["links"]["predictions"]]
    return answer(listed(told), *links) if told else None
