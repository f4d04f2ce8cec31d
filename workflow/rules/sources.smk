# Bring the files of a data set in, and take their checksums.


rule fetch:
    input:
        archive=archive_of_dataset,
        code=code_of("brainmri.sources.fetch"),
    output:
        # The record alone: into a declared folder Snakemake puts a file of its own, which no lock knows.
        record="data/{dataset}/fetch.json",
    log:
        "logs/data/{dataset}/fetch.log",
    wildcard_constraints:
        dataset=FETCHED,
    resources:
        mem_mb=demands.memory("fetch"),
        runtime=demands.minutes("fetch"),
    params:
        raw="data/{dataset}/raw",
        source=lambda wildcards: json.dumps(config["datasets"][wildcards.dataset]["source"]),
        archives_dir=config["archives_dir"],
        files=files_of_folder,
    message:
        "Bring in the files of {wildcards.dataset}"
    shell:
        "brainmri fetch --dataset {wildcards.dataset} --source {params.source:q}"
        " --archives_dir {params.archives_dir:q} --raw {params.raw:q} --output {output.record:q} &> {log:q}"


rule checksum:
    input:
        record="data/{dataset}/fetch.json",
        lock=lambda wildcards: [
            path for path in [f"config/checksums/{wildcards.dataset}.sha256"] if os.path.exists(path)
        ],
        code=code_of("brainmri.sources.checksum"),
    output:
        "data/{dataset}/checksums.parquet",
    log:
        "logs/data/{dataset}/checksum.log",
    wildcard_constraints:
        dataset=FETCHED,
    group:
        "prepare"
    resources:
        mem_mb=demands.memory("checksum"),
        runtime=demands.minutes("checksum"),
    params:
        raw="data/{dataset}/raw",
        lock="config/checksums/{dataset}.sha256",
    message:
        "Take the checksums of {wildcards.dataset}"
    shell:
        "brainmri checksum --dataset {wildcards.dataset} --raw {params.raw:q}"
        " --record {input.record:q} --lock {params.lock:q} --output {output:q} &> {log:q}"
