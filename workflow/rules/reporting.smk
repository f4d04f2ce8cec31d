# Figures, each drawn from tables, and the page that shows them.

FIGURES = "results/{study}/figures/{dataset}/{split}/{model}/seed{seed}"
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
# Figures of a data set show its largest packed images.
SIZE_SHOWN = max(study.image_sizes())
# The sheets of copies that `draw_audit` draws.
SHEETS = ["groups", "across", "conflicts", "weakest", "rejected", "neighbours"]


rule draw_dataset:
    input:
        inventory="data/{dataset}/inventory.parquet",
        images=f"data/{{dataset}}/images_{SIZE_SHOWN}.npy",
        crops=f"data/{{dataset}}/crops_{SIZE_SHOWN}.parquet",
        code=code_of("brainmri.reporting.draw_dataset"),
    output:
        samples=report(
            "results/{study}/figures/{dataset}/samples.png",
            caption="../report/samples.rst",
            category="Data",
            subcategory="{dataset}",
            labels={"figure": "samples of each class"},
        ),
        crops=report(
            "results/{study}/figures/{dataset}/crops.png",
            caption="../report/crops.rst",
            category="Data",
            subcategory="{dataset}",
            labels={"figure": "black-border crop"},
        ),
    log:
        "logs/{study}/draw_dataset/{dataset}.log",
    group:
        "describe"
    resources:
        mem_mb=demands.memory("draw"),
        runtime=demands.minutes("draw"),
    params:
        raw=lambda wildcards: str(study.raw_folder(wildcards.dataset)),
    message:
        "Draw {wildcards.dataset}"
    shell:
        "brainmri draw_dataset --dataset {wildcards.dataset} --raw {params.raw:q}"
        " --inventory {input.inventory:q} --images {input.images:q} --crops {input.crops:q}"
        " --samples {output.samples:q} --before_after {output.crops:q} &> {log:q}"


rule draw_audit:
    input:
        inventory="data/{dataset}/inventory.parquet",
        duplicates="data/{dataset}/duplicates.parquet",
        groups="data/{dataset}/groups.parquet",
        rejected="data/{dataset}/rejected.parquet",
        images=f"data/{{dataset}}/whole_{AUDIT_SIZE}.npy",
        code=code_of("brainmri.reporting.draw_audit"),
    output:
        groups=report(
            "results/{study}/figures/{dataset}/copies/groups.png",
            caption="../report/copies_groups.rst",
            category="Copies",
            subcategory="{dataset}",
            labels={"figure": "the largest groups"},
        ),
        across=report(
            "results/{study}/figures/{dataset}/copies/across.png",
            caption="../report/copies_across.rst",
            category="Copies",
            subcategory="{dataset}",
            labels={"figure": "copies across training and test"},
        ),
        conflicts=report(
            "results/{study}/figures/{dataset}/copies/conflicts.png",
            caption="../report/copies_conflicts.rst",
            category="Copies",
            subcategory="{dataset}",
            labels={"figure": "copies of two labels"},
        ),
        weakest=report(
            "results/{study}/figures/{dataset}/copies/weakest.png",
            caption="../report/copies_weakest.rst",
            category="Copies",
            subcategory="{dataset}",
            labels={"figure": "the weakest copies"},
        ),
        rejected=report(
            "results/{study}/figures/{dataset}/copies/rejected.png",
            caption="../report/copies_rejected.rst",
            category="Copies",
            subcategory="{dataset}",
            labels={"figure": "the strongest rejected pairs"},
        ),
        neighbours=report(
            "results/{study}/figures/{dataset}/copies/neighbours.png",
            caption="../report/copies_neighbours.rst",
            category="Copies",
            subcategory="{dataset}",
            labels={"figure": "neighbouring slices"},
        ),
    log:
        "logs/{study}/draw_audit/{dataset}.log",
    group:
        "describe"
    resources:
        mem_mb=demands.memory("draw"),
        runtime=demands.minutes("draw"),
    message:
        "Draw the copies in {wildcards.dataset}"
    shell:
        "brainmri draw_audit --dataset {wildcards.dataset} --inventory {input.inventory:q}"
        " --duplicates {input.duplicates:q} --groups {input.groups:q} --rejected {input.rejected:q}"
        " --images {input.images:q} --largest_groups {output.groups:q} --across {output.across:q}"
        " --conflicts {output.conflicts:q} --weakest {output.weakest:q}"
        " --strongest_rejected {output.rejected:q} --neighbours {output.neighbours:q} &> {log:q}"


rule draw_quality:
    input:
        inventory="data/{dataset}/inventory.parquet",
        code=code_of("brainmri.reporting.draw_quality"),
    output:
        report(
            "results/{study}/figures/{dataset}/quality.png",
            caption="../report/quality.rst",
            category="Data",
            subcategory="{dataset}",
            labels={"figure": "odd files"},
        ),
    log:
        "logs/{study}/draw_quality/{dataset}.log",
    group:
        "describe"
    resources:
        mem_mb=demands.memory("draw"),
        runtime=demands.minutes("draw"),
    params:
        raw=lambda wildcards: str(study.raw_folder(wildcards.dataset)),
    message:
        "Draw the odd files of {wildcards.dataset}"
    shell:
        "brainmri draw_quality --dataset {wildcards.dataset} --raw {params.raw:q}"
        " --inventory {input.inventory:q} --output {output:q} &> {log:q}"


rule draw_split:
    input:
        manifest="results/{study}/{dataset}/{split}/manifest.parquet",
        code=code_of("brainmri.reporting.draw_split"),
    output:
        report(
            "results/{study}/figures/{dataset}/{split}/class_counts.svg",
            caption="../report/class_counts.rst",
            category="Splits",
            subcategory="{dataset}",
            labels={"split": "{split}", "figure": "class counts"},
        ),
    log:
        "logs/{study}/draw_split/{dataset}-{split}.log",
    group:
        "describe"
    resources:
        mem_mb=demands.memory("draw"),
        runtime=demands.minutes("draw"),
    message:
        "Draw {wildcards.dataset}, {wildcards.split}"
    shell:
        "brainmri draw_split --dataset {wildcards.dataset} --split {wildcards.split}"
        " --manifest {input.manifest:q} --class_counts {output:q} &> {log:q}"


rule draw_model:
    input:
        history=f"{RUN}/history.parquet",
        predictions=f"{RUN}/predictions.parquet",
        metrics=f"{RUN}/metrics.json",
        metadata=f"{RUN}/model.json",
        manifest="results/{study}/{dataset}/{split}/manifest.parquet",
        images=images_of_model,
        code=code_of("brainmri.reporting.draw_model"),
    output:
        curves=report(
            f"{FIGURES}/curves.svg",
            caption="../report/curves.rst",
            category="Models",
            subcategory="{dataset}, {split}",
            labels={"model": "{model}", "seed": "{seed}", "figure": "training curves"},
        ),
        confusion_matrix=report(
            f"{FIGURES}/confusion_matrix.svg",
            caption="../report/confusion_matrix.rst",
            category="Models",
            subcategory="{dataset}, {split}",
            labels={"model": "{model}", "seed": "{seed}", "figure": "confusion matrix"},
        ),
        gallery=report(
            f"{FIGURES}/gallery.png",
            caption="../report/gallery.rst",
            category="Models",
            subcategory="{dataset}, {split}",
            labels={"model": "{model}", "seed": "{seed}", "figure": "test predictions"},
        ),
        gallery_table=f"{FIGURES}/gallery.parquet",
    log:
        "logs/{study}/draw_model/{dataset}-{split}-{model}-seed{seed}.log",
    group:
        "judge"
    resources:
        mem_mb=demands.memory("draw"),
        runtime=demands.minutes("draw"),
    message:
        "Draw {wildcards.model} on {wildcards.dataset}, {wildcards.split}, seed {wildcards.seed}"
    shell:
        "brainmri draw_model --dataset {wildcards.dataset} --split {wildcards.split}"
        " --model {wildcards.model} --seed {wildcards.seed} --history {input.history:q}"
        " --predictions {input.predictions:q} --metrics {input.metrics:q} --images {input.images:q}"
        " --metadata {input.metadata:q} --manifest {input.manifest:q} --curves {output.curves:q}"
        " --confusion_matrix {output.confusion_matrix:q} --gallery {output.gallery:q}"
        " --gallery_table {output.gallery_table:q} &> {log:q}"


rule draw_curves:
    input:
        curves=f"{RUN}/curves.parquet",
        metrics=f"{RUN}/metrics.json",
        code=code_of("brainmri.reporting.draw_curves"),
    output:
        roc=report(
            f"{FIGURES}/roc.svg",
            caption="../report/roc.rst",
            category="Models",
            subcategory="{dataset}, {split}",
            labels={"model": "{model}", "seed": "{seed}", "figure": "ROC"},
        ),
        precision_recall=report(
            f"{FIGURES}/precision_recall.svg",
            caption="../report/precision_recall.rst",
            category="Models",
            subcategory="{dataset}, {split}",
            labels={"model": "{model}", "seed": "{seed}", "figure": "precision and recall"},
        ),
        reliability=report(
            f"{FIGURES}/reliability.svg",
            caption="../report/reliability.rst",
            category="Models",
            subcategory="{dataset}, {split}",
            labels={"model": "{model}", "seed": "{seed}", "figure": "reliability"},
        ),
        risk_coverage=report(
            f"{FIGURES}/risk_coverage.svg",
            caption="../report/risk_coverage.rst",
            category="Models",
            subcategory="{dataset}, {split}",
            labels={"model": "{model}", "seed": "{seed}", "figure": "risk and coverage"},
        ),
        decision=report(
            f"{FIGURES}/decision.svg",
            caption="../report/decision.rst",
            category="Models",
            subcategory="{dataset}, {split}",
            labels={"model": "{model}", "seed": "{seed}", "figure": "decision curve"},
        ),
    log:
        "logs/{study}/draw_curves/{dataset}-{split}-{model}-seed{seed}.log",
    group:
        "judge"
    resources:
        mem_mb=demands.memory("draw"),
        runtime=demands.minutes("draw"),
    message:
        "Draw the curves of {wildcards.model} on {wildcards.dataset}, {wildcards.split}, seed {wildcards.seed}"
    shell:
        "brainmri draw_curves --dataset {wildcards.dataset} --split {wildcards.split}"
        " --model {wildcards.model} --seed {wildcards.seed} --curves {input.curves:q}"
        " --metrics {input.metrics:q} --roc {output.roc:q} --precision_recall {output.precision_recall:q}"
        " --reliability {output.reliability:q} --risk_coverage {output.risk_coverage:q}"
        " --decision {output.decision:q} &> {log:q}"


rule draw_explain:
    input:
        table=f"{RUN}/explain/explain.parquet",
        images=images_of_model,
        code=code_of("brainmri.reporting.draw_explain"),
    output:
        report(
            f"{RUN}/explain/panel.png",
            caption="../report/explain.rst",
            category="Models",
            subcategory="{dataset}, {split}",
            labels={"model": "{model}", "seed": "{seed}", "figure": "where it looks"},
        ),
    log:
        "logs/{study}/draw_explain/{dataset}-{split}-{model}-seed{seed}.log",
    group:
        "judge"
    resources:
        mem_mb=demands.memory("draw"),
        runtime=demands.minutes("draw"),
    message:
        "Draw where {wildcards.model} looks on {wildcards.dataset}, {wildcards.split}, seed {wildcards.seed}"
    shell:
        "brainmri draw_explain --dataset {wildcards.dataset} --split {wildcards.split}"
        " --model {wildcards.model} --seed {wildcards.seed} --table {input.table:q}"
        " --images {input.images:q} --output {output:q} &> {log:q}"


rule draw_probes:
    input:
        probes="results/{study}/{dataset}/{split}/probes/{model}/probes.parquet",
        manifest="results/{study}/{dataset}/{split}/manifest.parquet",
        images=images_of_model,
        code=code_of("brainmri.reporting.draw_probes"),
    output:
        report(
            "results/{study}/figures/{dataset}/{split}/probes/{model}/probes.png",
            caption="../report/probes.rst",
            category="Probes",
            subcategory="{dataset}",
            labels={"split": "{split}", "model": "{model}", "figure": "what each probe saw"},
        ),
    log:
        "logs/{study}/draw_probes/{dataset}-{split}-{model}.log",
    group:
        "probe"
    resources:
        mem_mb=demands.memory("draw"),
        runtime=demands.minutes("draw"),
    message:
        "Draw what the probes saw of {wildcards.dataset}, {wildcards.split}"
    shell:
        "brainmri draw_probes --dataset {wildcards.dataset} --split {wildcards.split}"
        " --probes {input.probes:q} --manifest {input.manifest:q} --images {input.images:q}"
        " --output {output:q} &> {log:q}"


rule draw_comparison:
    input:
        comparison="results/{study}/comparison.parquet",
        code=code_of("brainmri.reporting.draw_comparison"),
    output:
        report(
            "results/{study}/figures/comparison.svg",
            caption="../report/comparison.rst",
            category="Comparison",
            labels={"figure": "all models and protocols"},
        ),
    log:
        "logs/{study}/draw_comparison.log",
    group:
        "conclude"
    resources:
        mem_mb=demands.memory("draw"),
        runtime=demands.minutes("draw"),
    message:
        "Draw the comparison"
    shell:
        "brainmri draw_comparison --comparison {input.comparison:q} --output {output:q} &> {log:q}"


rule draw_pairs:
    input:
        pairs="results/{study}/pairs.parquet",
        code=code_of("brainmri.reporting.draw_pairs"),
    output:
        report(
            "results/{study}/figures/{dataset}/{split}/pairs.svg",
            caption="../report/pairs.rst",
            category="Comparison",
            subcategory="{dataset}",
            labels={"split": "{split}", "figure": "models against each other"},
        ),
    log:
        "logs/{study}/draw_pairs/{dataset}-{split}.log",
    group:
        "conclude"
    resources:
        mem_mb=demands.memory("draw"),
        runtime=demands.minutes("draw"),
    message:
        "Draw the pairs of models on {wildcards.dataset}, {wildcards.split}"
    shell:
        "brainmri draw_pairs --pairs {input.pairs:q} --output {output:q} --dataset {wildcards.dataset}"
        " --split {wildcards.split} &> {log:q}"


rule draw_external:
    input:
        external="results/{study}/external.parquet",
        code=code_of("brainmri.reporting.draw_external"),
    output:
        report(
            "results/{study}/figures/external/{model}.svg",
            caption="../report/external.rst",
            category="External validation",
            labels={"model": "{model}", "figure": "data sets against data sets"},
        ),
    log:
        "logs/{study}/draw_external/{model}.log",
    group:
        "conclude"
    resources:
        mem_mb=demands.memory("draw"),
        runtime=demands.minutes("draw"),
    message:
        "Draw how {wildcards.model} does on data sets that it is not from"
    shell:
        "brainmri draw_external --external {input.external:q} --model {wildcards.model}"
        " --output {output:q} &> {log:q}"


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
        page=report(
            "results/{study}/report/index.html",
            caption="../report/page.rst",
            category="Page",
            labels={"figure": "the whole report on one page"},
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
