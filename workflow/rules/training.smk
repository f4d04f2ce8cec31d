# Train one model on one manifest with one seed.


rule train:
    input:
        manifest="results/{study}/{dataset}/{split}/manifest.parquet",
        images=images_of_model,
        weights=pretrained_weights,
        code=code_of("brainmri.training.train"),
    output:
        model=f"{RUN}/model.safetensors",
        metadata=f"{RUN}/model.json",
        history=f"{RUN}/history.parquet",
    log:
        "logs/{study}/train/{dataset}-{split}-{model}-seed{seed}.log",
    threads: demands.threads
    resources:
        gpu=demands.gpus("train"),
        # All GPUs of a training, which Slurm spreads over nodes where it may; other schedulers do not read it.
        nodes=1,
        mem_mb=demands.memory("train"),
        runtime=demands.minutes("train"),
    params:
        recipe=lambda wildcards: json.dumps(config["models"][wildcards.model]),
        crop=lambda wildcards: json.dumps(config["datasets"][wildcards.dataset]["crop"]),
        weights_dir=config["weights_dir"],
        device=config["device"],
        devices=config["devices"],
        monitor=lambda wildcards: (
            " --monitor tensorboard --events logs/{0.study}/tensorboard/{0.dataset}-{0.split}-{0.model}-seed{0.seed}".format(
                wildcards
            )
            if config["monitor"]
            else ""
        ),
    message:
        "Train {wildcards.model} on {wildcards.dataset}, {wildcards.split}, seed {wildcards.seed} (progress: {log})"
    shell:
        "brainmri train --manifest {input.manifest:q} --images {input.images:q}"
        " --recipe {params.recipe:q} --crop {params.crop:q} --seed {wildcards.seed}"
        " --weights_dir {params.weights_dir:q} --device {params.device} --devices {params.devices}"
        " --threads {threads}{params.monitor}"
        " --model {output.model:q} --metadata {output.metadata:q} --history {output.history:q} &> {log:q}"
