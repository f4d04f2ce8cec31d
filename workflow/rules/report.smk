# The page that shows all that was found.

RUN_ARTEFACTS = [
    "model.json",
    "history.parquet",
    "predictions.parquet",
    "calibration.json",
    "metrics.json",
    "curves.parquet",
]
RUN_FIGURES = [
    "curves.svg",
    "confusion_matrix.svg",
    "gallery.png",
    "gallery.parquet",
    "roc.svg",
    "precision_recall.svg",
    "reliability.svg",
    "risk_coverage.svg",
    "decision.svg",
]
# The sheets of copies that `draw_audit` draws.
SHEETS = ["groups", "across", "conflicts", "weakest", "rejected", "neighbours"]


rule report:
    input:
        data=expand(
            "data/{dataset}/{name}",
            dataset=study.datasets,
            name=[
                "fetch.json",
                "inventory.parquet",
                "audit.json",
                "duplicates.parquet",
                "groups.parquet",
                f"crops_{SIZE_SHOWN}.parquet",
            ],
        ),
        overlaps=[study.overlap_path(*pair) for pair in study.overlapping_pairs()],
        manifests=[
            study.split_folder(dataset, split) / name
            for dataset, split in study.dataset_splits()
            for name in ["manifest.parquet", "split.json", "baselines.json"]
        ],
        runs=[run.folder / name for run in study.runs() for name in RUN_ARTEFACTS],
        dataset_figures=[
            study.dataset_figures(dataset) / name
            for dataset in study.datasets
            for name in [
                "samples.png",
                "crops.png",
                "quality.png",
                *[f"copies/{sheet}.png" for sheet in SHEETS],
            ]
        ],
        split_figures=[
            study.split_figures(dataset, split) / name
            for dataset, split in study.dataset_splits()
            for name in ["class_counts.svg", "pairs.svg"]
        ],
        run_figures=[run.figures / name for run in study.runs() for name in RUN_FIGURES],
        explained=[
            run.folder / "explain" / name
            for run in study.runs()
            for name in ["explain.json", "explain.parquet", "panel.png"]
            if config["explain"]["images"]
        ],
        probes=[
            study.probes_folder(*place) / name
            for place in study.probed()
            for name in ["probes.json", "probes.parquet"]
        ],
        probe_figures=[study.probes_figure(*place) for place in study.probed()],
        comparison=[
            study.folder / name
            for name in [
                "comparison.parquet",
                "pairs.parquet",
                "leakage.parquet",
                "external.parquet",
                "figures/comparison.svg",
            ]
        ],
        external=[
            *[study.external_path(*test) for test in study.external_tests()],
            *[study.external_figure(model) for model in study.models_tested_outside()],
        ],
        code=code_of("brainmri.reporting.report"),
    output:
        page=shown(
            "results/{study}/report/index.html", "the whole report on one page", "Page", caption="page"
        ),
        cards=expand(
            "results/{{study}}/report/cards/{name}",
            name=[*card_names(study), *[f"{name}.md" for name in CHECKLISTS]],
        ),
    log:
        "logs/{study}/report.log",
    group:
        "conclude"
    resources:
        mem_mb=demands.memory("report"),
        runtime=demands.minutes("report"),
    params:
        study=json.dumps(document_of(study)),
    message:
        "Write the report: {output.page}"
    shell:
        "brainmri report --study {params.study:q} --output {output.page:q} &> {log:q}"
