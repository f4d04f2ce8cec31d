# Which image trains, validates and tests.


rule split:
    input:
        inventory="data/{dataset}/inventory.parquet",
        groups="data/{dataset}/groups.parquet",
        code=code_of("brainmri.splits.split"),
    output:
        manifest="results/{study}/{dataset}/{split}/manifest.parquet",
        summary="results/{study}/{dataset}/{split}/split.json",
    log:
        "logs/{study}/split/{dataset}-{split}.log",
    resources:
        mem_mb=demands.memory("split"),
        runtime=demands.minutes("split"),
    params:
        settings=lambda wildcards: json.dumps(config["splits"][wildcards.split]),
        class_names=json.dumps(config["class_names"]),
    message:
        "Split {wildcards.dataset}: {wildcards.split}"
    shell:
        "brainmri split --inventory {input.inventory:q} --groups {input.groups:q}"
        " --output {output.manifest:q} --summary {output.summary:q} --settings {params.settings:q}"
        " --class_names {params.class_names:q} &> {log:q}"
