# What the trained models predict, how good that is, and how they compare.


rule predict_split:
    input:
        manifest="results/{study}/{dataset}/{split}/manifest.parquet",
        images=images_of_model,
        model="results/{study}/{dataset}/{split}/{model}/seed{seed}/model.safetensors",
        metadata="results/{study}/{dataset}/{split}/{model}/seed{seed}/model.json",
        code=code_of("brainmri.evaluation.predict_split"),
    output:
        predictions="results/{study}/{dataset}/{split}/{model}/seed{seed}/predictions.parquet",
        calibration="results/{study}/{dataset}/{split}/{model}/seed{seed}/calibration.json",
    log:
        "logs/{study}/predict_split/{dataset}-{split}-{model}-seed{seed}.log",
    threads: 8
    resources:
        gpu=1,
    params:
        device=config["device"],
    message:
        "Predict with {wildcards.model} on {wildcards.dataset}, {wildcards.split}, seed {wildcards.seed}"
    shell:
        "brainmri predict_split --manifest {input.manifest:q} --images {input.images:q}"
        " --model {input.model:q} --metadata {input.metadata:q} --device {params.device} --threads {threads}"
        " --predictions {output.predictions:q} --calibration {output.calibration:q} &> {log:q}"


rule evaluate:
    input:
        predictions="results/{study}/{dataset}/{split}/{model}/seed{seed}/predictions.parquet",
        calibration="results/{study}/{dataset}/{split}/{model}/seed{seed}/calibration.json",
        code=code_of("brainmri.evaluation.evaluate"),
    output:
        "results/{study}/{dataset}/{split}/{model}/seed{seed}/metrics.json",
    log:
        "logs/{study}/evaluate/{dataset}-{split}-{model}-seed{seed}.log",
    params:
        protocol=lambda wildcards: config["splits"][wildcards.split]["protocol"],
        resamples=config["resamples"],
    message:
        "Evaluate {wildcards.model} on {wildcards.dataset}, {wildcards.split}, seed {wildcards.seed}"
    shell:
        "brainmri evaluate --predictions {input.predictions:q} --calibration {input.calibration:q}"
        " --dataset {wildcards.dataset} --split {wildcards.split} --protocol {params.protocol}"
        " --model {wildcards.model} --seed {wildcards.seed} --resamples {params.resamples}"
        " --output {output:q} &> {log:q}"


rule compare:
    input:
        metrics=[run.folder / "metrics.json" for run in study.runs()],
        predictions=[run.folder / "predictions.parquet" for run in study.runs()],
        code=code_of("brainmri.evaluation.compare"),
    output:
        comparison="results/{study}/comparison.parquet",
        pairs="results/{study}/pairs.parquet",
        leakage="results/{study}/leakage.parquet",
    log:
        "logs/{study}/compare.log",
    params:
        resamples=config["resamples"],
    message:
        "Compare all models and protocols"
    shell:
        "brainmri compare --metrics {input.metrics:q} --predictions {input.predictions:q}"
        " --resamples {params.resamples} --output {output.comparison:q} --pairs {output.pairs:q}"
        " --leakage {output.leakage:q} &> {log:q}"
