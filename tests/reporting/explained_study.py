"""Explanations of a synthetic study, with numbers out of thin air, as the stages of them leave them."""

from dataclasses import replace

import numpy as np
import pandas as pd

from brainmri.artefacts import read_parquet, write_json, write_parquet
from brainmri.evaluation.explain import summarised
from brainmri.evaluation.explain_images import SCHEMA
from brainmri.evaluation.explain_summary import with_differences
from brainmri.models.grad_cam import FeatureLayer
from brainmri.reporting.draw_explain import draw_explain
from brainmri.sources.synthetic.masks import mask_bytes
from brainmri.study import Study

COUNT = 6


def explained_table(predictions: pd.DataFrame, methods=("grad_cam", "occlusion", "random", "centre")):
    """Return a table as the stage explain writes it, with numbers out of thin air."""
    generator, rows = np.random.default_rng(0), []
    mask = np.zeros((64, 64), bool)
    mask[20:30, 20:30] = True
    for index, image in enumerate(predictions.itertuples()):
        for method in methods:
            grid = generator.random(9) if index else -generator.random(9)
            rows.append(
                {name: getattr(image, name) for name in ("image_id", "group_id", "label", "predicted")}
                | {"row": index, "confidence": image.confidence, "kind": "right", "method": method}
                | {"grid": grid, "grid_rows": 3, "grid_columns": 3, "lesion_mask": mask_bytes(mask)}
                | {"similarity": 0.1, "deletion": 0.3, "insertion": generator.random(), "lesion_hit": True}
                | {"border_share": 0.2, "outside_share": 0.1, "lesion_area": 0.02, "lesion_share": 0.3}
                | {"lesion_iou": 0.4}
            )
    return with_differences(pd.DataFrame(rows))


def write_explained(study: Study) -> Study:
    """Explain every training of a study, and return it with the key set."""
    for run in study.runs():
        predictions = read_parquet(run.folder / "predictions.parquet")
        rows = explained_table(predictions[predictions["split"] == "test"].head(COUNT))
        folder = run.folder / "explain"
        write_parquet(rows, folder / "explain.parquet", config={}, schema=SCHEMA)
        settings = {"count": COUNT, "seed": 0, "resamples": 100}
        layer = FeatureLayer("body.3", 3, 3)
        write_json(summarised(rows, layer, study.class_names, settings), folder / "explain.json")
        draw(study, run, folder / "explain.parquet", folder / "panel.png")
    return replace(study, explain={"images": COUNT})


def draw(study: Study, run, table, output) -> None:
    """Draw the panel of one training."""
    images = study.data_folder(run.dataset) / "images_64.npy"
    draw_explain(run.dataset, run.split, run.model, run.seed, table, images, output)
