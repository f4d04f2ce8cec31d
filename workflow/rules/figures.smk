# Figures, each drawn from tables and images.

DRAW = {"mem_mb": demands.memory("draw"), "runtime": demands.minutes("draw")}


rule draw_dataset:
    input:
        inventory="data/{dataset}/inventory.parquet",
        images=f"data/{{dataset}}/images_{SIZE_SHOWN}.npy",
        crops=f"data/{{dataset}}/crops_{SIZE_SHOWN}.parquet",
        code=code_of("brainmri.reporting.draw_dataset"),
    output:
        samples=shown(
            "results/{study}/figures/{dataset}/samples.png", "samples of each class", "Data", "{dataset}"
        ),
        crops=shown("results/{study}/figures/{dataset}/crops.png", "black-border crop", "Data", "{dataset}"),
    log:
        "logs/{study}/draw_dataset/{dataset}.log",
    group:
        "describe"
    resources:
        **DRAW,
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
        groups=sheet("groups", "the largest groups"),
        across=sheet("across", "copies across training and test"),
        conflicts=sheet("conflicts", "copies of two labels"),
        weakest=sheet("weakest", "the weakest copies"),
        rejected=sheet("rejected", "the strongest rejected pairs"),
        neighbours=sheet("neighbours", "neighbouring slices"),
    log:
        "logs/{study}/draw_audit/{dataset}.log",
    group:
        "describe"
    resources:
        **DRAW,
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
        shown("results/{study}/figures/{dataset}/quality.png", "odd files", "Data", "{dataset}"),
    log:
        "logs/{study}/draw_quality/{dataset}.log",
    group:
        "describe"
    resources:
        **DRAW,
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
        shown(
            "results/{study}/figures/{dataset}/{split}/class_counts.svg",
            "class counts",
            "Splits",
            "{dataset}",
            split="{split}",
        ),
    log:
        "logs/{study}/draw_split/{dataset}-{split}.log",
    group:
        "describe"
    resources:
        **DRAW,
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
        curves=of_run(f"{FIGURES}/curves.svg", "training curves"),
        confusion_matrix=of_run(f"{FIGURES}/confusion_matrix.svg", "confusion matrix"),
        gallery=of_run(f"{FIGURES}/gallery.png", "test predictions"),
        gallery_table=f"{FIGURES}/gallery.parquet",
    log:
        "logs/{study}/draw_model/{dataset}-{split}-{model}-seed{seed}.log",
    group:
        "judge"
    resources:
        **DRAW,
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
        roc=of_run(f"{FIGURES}/roc.svg", "ROC"),
        precision_recall=of_run(f"{FIGURES}/precision_recall.svg", "precision and recall"),
        reliability=of_run(f"{FIGURES}/reliability.svg", "reliability"),
        risk_coverage=of_run(f"{FIGURES}/risk_coverage.svg", "risk and coverage"),
        decision=of_run(f"{FIGURES}/decision.svg", "decision curve"),
    log:
        "logs/{study}/draw_curves/{dataset}-{split}-{model}-seed{seed}.log",
    group:
        "judge"
    resources:
        **DRAW,
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
        of_run(f"{RUN}/explain/panel.png", "where it looks", caption="explain"),
    log:
        "logs/{study}/draw_explain/{dataset}-{split}-{model}-seed{seed}.log",
    group:
        "judge"
    resources:
        **DRAW,
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
        shown(
            "results/{study}/figures/{dataset}/{split}/probes/{model}/probes.png",
            "what each probe saw",
            "Probes",
            "{dataset}",
            split="{split}",
            model="{model}",
        ),
    log:
        "logs/{study}/draw_probes/{dataset}-{split}-{model}.log",
    group:
        "probe"
    resources:
        **DRAW,
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
        shown("results/{study}/figures/comparison.svg", "all models and protocols", "Comparison"),
    log:
        "logs/{study}/draw_comparison.log",
    group:
        "conclude"
    resources:
        **DRAW,
    message:
        "Draw the comparison"
    shell:
        "brainmri draw_comparison --comparison {input.comparison:q} --output {output:q} &> {log:q}"


rule draw_pairs:
    input:
        pairs="results/{study}/pairs.parquet",
        code=code_of("brainmri.reporting.draw_pairs"),
    output:
        shown(
            "results/{study}/figures/{dataset}/{split}/pairs.svg",
            "models against each other",
            "Comparison",
            "{dataset}",
            split="{split}",
        ),
    log:
        "logs/{study}/draw_pairs/{dataset}-{split}.log",
    group:
        "conclude"
    resources:
        **DRAW,
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
        shown(
            "results/{study}/figures/external/{model}.svg",
            "data sets against data sets",
            "External validation",
            caption="external",
            model="{model}",
        ),
    log:
        "logs/{study}/draw_external/{model}.log",
    group:
        "conclude"
    resources:
        **DRAW,
    message:
        "Draw how {wildcards.model} does on data sets that it is not from"
    shell:
        "brainmri draw_external --external {input.external:q} --model {wildcards.model}"
        " --output {output:q} &> {log:q}"
