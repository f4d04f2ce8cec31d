# What the trained models predict, how good that is, and how they compare.


# On a cluster, jobs of one submission that run a network take turns, so that it asks for one GPU, however many cores the
# profile names. On one machine `--resources gpu=N` does that.
resource_scopes:
    turn="local",


if workflow.nodes or workflow.remote_exec:
    workflow.register_resource("turn", 1)


rule predict_split:
    input:
        manifest="results/{study}/{dataset}/{split}/manifest.parquet",
        images=images_of_model,
        model=f"{RUN}/model.safetensors",
        metadata=f"{RUN}/model.json",
        code=code_of("brainmri.evaluation.predict_split"),
    output:
        predictions=f"{RUN}/predictions.parquet",
        calibration=f"{RUN}/calibration.json",
    log:
        "logs/{study}/predict_split/{dataset}-{split}-{model}-seed{seed}.log",
    group:
        "judge"
    threads: demands.threads
    resources:
        gpu=demands.gpus("predict_split"),
        turn=1,
        mem_mb=demands.memory("predict_split"),
        runtime=demands.minutes("predict_split"),
    params:
        device=config["device"],
        wished_error=config["wished_error"],
    message:
        "Predict with {wildcards.model} on {wildcards.dataset}, {wildcards.split}, seed {wildcards.seed}"
    shell:
        "brainmri predict_split --manifest {input.manifest:q} --images {input.images:q}"
        " --model {input.model:q} --metadata {input.metadata:q} --device {params.device} --threads {threads}"
        " --wished_error {params.wished_error} --predictions {output.predictions:q}"
        " --calibration {output.calibration:q} &> {log:q}"


rule evaluate:
    input:
        predictions=f"{RUN}/predictions.parquet",
        calibration=f"{RUN}/calibration.json",
        code=code_of("brainmri.evaluation.evaluate"),
    output:
        metrics=f"{RUN}/metrics.json",
        curves=f"{RUN}/curves.parquet",
    log:
        "logs/{study}/evaluate/{dataset}-{split}-{model}-seed{seed}.log",
    group:
        "judge"
    resources:
        mem_mb=demands.memory("evaluate"),
        runtime=demands.minutes("evaluate"),
    params:
        protocol=lambda wildcards: config["splits"][wildcards.split]["protocol"],
        resamples=config["resamples"],
    message:
        "Evaluate {wildcards.model} on {wildcards.dataset}, {wildcards.split}, seed {wildcards.seed}"
    shell:
        "brainmri evaluate --predictions {input.predictions:q} --calibration {input.calibration:q}"
        " --dataset {wildcards.dataset} --split {wildcards.split} --protocol {params.protocol}"
        " --model {wildcards.model} --seed {wildcards.seed} --resamples {params.resamples}"
        " --output {output.metrics:q} --curves {output.curves:q} &> {log:q}"


# Two small tables of text: `dvc plots` reads no Parquet.
rule plot_data:
    input:
        history=f"{RUN}/history.parquet",
        predictions=f"{RUN}/predictions.parquet",
        code=code_of("brainmri.evaluation.plot_data"),
    output:
        curves=f"{RUN}/plots/history.csv",
        confusion=f"{RUN}/plots/confusion.csv",
    log:
        "logs/{study}/plot_data/{dataset}-{split}-{model}-seed{seed}.log",
    group:
        "judge"
    resources:
        mem_mb=demands.memory("plot_data"),
        runtime=demands.minutes("plot_data"),
    message:
        "Write what DVC plots of {wildcards.model} on {wildcards.dataset}, {wildcards.split}, seed {wildcards.seed}"
    shell:
        "brainmri plot_data --history {input.history:q} --predictions {input.predictions:q}"
        " --curves {output.curves:q} --confusion {output.confusion:q} &> {log:q}"


rule predict_external:
    input:
        manifest="results/{study}/{dataset}/{split}/manifest.parquet",
        predictions=f"{RUN}/predictions.parquet",
        calibration=f"{RUN}/calibration.json",
        model=f"{RUN}/model.safetensors",
        metadata=f"{RUN}/model.json",
        inventory="data/{other}/inventory.parquet",
        groups="data/{other}/groups.parquet",
        overlap=overlap_with_other,
        images=prepared_as_trained("images_{size}.npy"),
        crops=prepared_as_trained("crops_{size}.parquet"),
        code=code_of("brainmri.evaluation.predict_external"),
    output:
        f"{RUN}/external/{{other}}.parquet",
    log:
        "logs/{study}/predict_external/{dataset}-{split}-{model}-seed{seed}-{other}.log",
    wildcard_constraints:
        dataset=FETCHED,
        other=FETCHED,
    group:
        "judge"
    threads: demands.threads
    resources:
        gpu=demands.gpus("predict_external"),
        turn=1,
        mem_mb=demands.memory("predict_external"),
        runtime=demands.minutes("predict_external"),
    params:
        conflicts=lambda wildcards: config["splits"][wildcards.split]["conflicts"],
        device=config["device"],
    message:
        "Predict {wildcards.other} with {wildcards.model} of {wildcards.dataset}, {wildcards.split}, seed {wildcards.seed}"
    shell:
        "brainmri predict_external --dataset {wildcards.dataset} --split {wildcards.split}"
        " --name {wildcards.model} --seed {wildcards.seed} --other {wildcards.other}"
        " --manifest {input.manifest:q} --predictions {input.predictions:q} --calibration {input.calibration:q}"
        " --model {input.model:q} --metadata {input.metadata:q} --inventory {input.inventory:q}"
        " --groups {input.groups:q} --overlap {input.overlap:q} --images {input.images:q} --crops {input.crops:q}"
        " --conflicts {params.conflicts} --device {params.device} --threads {threads}"
        " --output {output:q} &> {log:q}"


rule explain:
    input:
        predictions=f"{RUN}/predictions.parquet",
        calibration=f"{RUN}/calibration.json",
        manifest="results/{study}/{dataset}/{split}/manifest.parquet",
        images=images_of_model,
        crops=crops_of_model,
        model=f"{RUN}/model.safetensors",
        metadata=f"{RUN}/model.json",
        code=code_of("brainmri.evaluation.explain"),
    output:
        table=f"{RUN}/explain/explain.parquet",
        summary=f"{RUN}/explain/explain.json",
    log:
        "logs/{study}/explain/{dataset}-{split}-{model}-seed{seed}.log",
    group:
        "judge"
    threads: demands.threads
    resources:
        gpu=demands.gpus("explain"),
        turn=1,
        mem_mb=demands.memory("explain"),
        runtime=demands.minutes("explain"),
    params:
        most=config["explain"]["images"],
        resamples=config["resamples"],
        device=config["device"],
        # A phantom alone knows its lesions. `fetch` writes the table beside its record, for no other set.
        truth=lambda wildcards: (
            f" --truth data/{wildcards.dataset}/truth.parquet"
            if config["datasets"][wildcards.dataset]["source"].get("phantom") is not None
            else ""
        ),
    message:
        "Explain {wildcards.model} on {wildcards.dataset}, {wildcards.split}, seed {wildcards.seed}"
    shell:
        "brainmri explain --predictions {input.predictions:q} --calibration {input.calibration:q}"
        " --manifest {input.manifest:q} --images {input.images:q} --crops {input.crops:q}"
        " --model {input.model:q} --metadata {input.metadata:q}{params.truth}"
        " --count {params.most} --seed {wildcards.seed} --resamples {params.resamples}"
        " --device {params.device} --threads {threads}"
        " --table {output.table:q} --summary {output.summary:q} &> {log:q}"


rule baselines:
    input:
        manifest="results/{study}/{dataset}/{split}/manifest.parquet",
        inventory="data/{dataset}/inventory.parquet",
        images=f"data/{{dataset}}/whole_{AUDIT_SIZE}.npy",
        code=code_of("brainmri.evaluation.baselines"),
    output:
        metrics="results/{study}/{dataset}/{split}/baselines.json",
        predictions="results/{study}/{dataset}/{split}/baselines.parquet",
    log:
        "logs/{study}/baselines/{dataset}-{split}.log",
    group:
        "describe"
    resources:
        mem_mb=demands.memory("baselines"),
        runtime=demands.minutes("baselines"),
    params:
        protocol=lambda wildcards: config["splits"][wildcards.split]["protocol"],
        resamples=config["resamples"],
    message:
        "Judge the baselines on {wildcards.dataset}, {wildcards.split}"
    shell:
        "brainmri baselines --manifest {input.manifest:q} --inventory {input.inventory:q}"
        " --images {input.images:q} --dataset {wildcards.dataset} --split {wildcards.split}"
        " --protocol {params.protocol} --resamples {params.resamples} --output {output.metrics:q}"
        " --predictions {output.predictions:q} &> {log:q}"


rule probes:
    input:
        manifest="results/{study}/{dataset}/{split}/manifest.parquet",
        images=images_of_model,
        weights=pretrained_weights,
        code=code_of("brainmri.evaluation.probes"),
    output:
        metrics="results/{study}/{dataset}/{split}/probes/{model}/probes.json",
        predictions="results/{study}/{dataset}/{split}/probes/{model}/probes.parquet",
    log:
        "logs/{study}/probes/{dataset}-{split}-{model}.log",
    group:
        "probe"
    threads: demands.threads
    resources:
        gpu=demands.gpus("probes"),
        mem_mb=demands.memory("probes"),
        runtime=demands.minutes("probes"),
    params:
        recipe=lambda wildcards: json.dumps(config["models"][wildcards.model]),
        crop=lambda wildcards: json.dumps(config["datasets"][wildcards.dataset]["crop"]),
        protocol=lambda wildcards: config["splits"][wildcards.split]["protocol"],
        epochs=config["probes"]["epochs"],
        seed=study.seeds[0],
        resamples=config["resamples"],
        weights_dir=config["weights_dir"],
        device=config["device"],
    message:
        "Probe what {wildcards.model} learns without the lesion on {wildcards.dataset}, {wildcards.split}"
    shell:
        "brainmri probes --manifest {input.manifest:q} --images {input.images:q}"
        " --recipe {params.recipe:q} --crop {params.crop:q} --dataset {wildcards.dataset}"
        " --split {wildcards.split} --protocol {params.protocol} --model {wildcards.model}"
        " --epochs {params.epochs} --seed {params.seed} --resamples {params.resamples}"
        " --weights_dir {params.weights_dir:q} --device {params.device} --threads {threads}"
        " --output {output.metrics:q} --predictions {output.predictions:q} &> {log:q}"


rule compare:
    input:
        metrics=[run.folder / "metrics.json" for run in study.runs()],
        predictions=[run.folder / "predictions.parquet" for run in study.runs()],
        baselines=[study.split_folder(*place) / "baselines.parquet" for place in study.dataset_splits()],
        applied=[study.external_path(*test) for test in study.external_tests()],
        code=code_of("brainmri.evaluation.compare"),
    output:
        comparison="results/{study}/comparison.parquet",
        pairs="results/{study}/pairs.parquet",
        leakage="results/{study}/leakage.parquet",
        external="results/{study}/external.parquet",
    log:
        "logs/{study}/compare.log",
    group:
        "conclude"
    resources:
        mem_mb=demands.memory("compare"),
        runtime=demands.minutes("compare"),
    params:
        resamples=config["resamples"],
        # A study of one data set has none.
        applied=lambda wildcards, input: (
            f" --applied {' '.join(map(quote, input.applied))}" if input.applied else ""
        ),
    message:
        "Compare all models and protocols"
    shell:
        "brainmri compare --metrics {input.metrics:q} --predictions {input.predictions:q}"
        " --baselines {input.baselines:q} --resamples {params.resamples}"
        " --output {output.comparison:q} --pairs {output.pairs:q}"
        " --leakage {output.leakage:q} --external {output.external:q}{params.applied} &> {log:q}"
