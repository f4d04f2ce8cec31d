# Outputs that Snakemake's own report shows.

FIGURES = "results/{study}/figures/{dataset}/{split}/{model}/seed{seed}"


def shown(path, what, category, subcategory=None, caption=None, **labels):
    """A file with the caption of its own name, or of another, and a label that says what it shows."""
    return report(
        path,
        caption=f"../report/{caption or Path(path).stem}.rst",
        category=category,
        subcategory=subcategory,
        labels={**labels, "figure": what},
    )


def of_run(path, what, caption=None):
    """A figure of a training."""
    return shown(path, what, "Models", "{dataset}, {split}", caption, model="{model}", seed="{seed}")


def sheet(name, what):
    """A sheet of copies of a data set."""
    path = f"results/{{study}}/figures/{{dataset}}/copies/{name}.png"
    return shown(path, what, "Copies", "{dataset}", f"copies_{name}")
