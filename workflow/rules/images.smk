# From files to pixels: what each file is, and all readable ones cropped into one packed array.


rule inventory:
    input:
        checksums="data/{dataset}/checksums.parquet",
        table=table_of_dataset,
        code=code_of("brainmri.images.inventory"),
    output:
        "data/{dataset}/inventory.parquet",
    log:
        "logs/data/{dataset}/inventory.log",
    wildcard_constraints:
        dataset=FETCHED,
    group:
        "prepare"
    threads: demands.threads
    resources:
        mem_mb=demands.memory("inventory"),
        runtime=demands.minutes("inventory"),
    params:
        raw="data/{dataset}/raw",
        layout=lambda wildcards: json.dumps(config["datasets"][wildcards.dataset]["layout"]),
        classes=lambda wildcards: json.dumps(config["datasets"][wildcards.dataset]["classes"]),
    message:
        "List what each file of {wildcards.dataset} is"
    shell:
        "brainmri inventory --raw {params.raw:q} --checksums {input.checksums:q} --output {output:q}"
        " --layout {params.layout:q} --classes {params.classes:q} --workers {threads} &> {log:q}"


rule crop:
    input:
        inventory="data/{dataset}/inventory.parquet",
        code=code_of("brainmri.images.crop"),
    output:
        images="data/{dataset}/images_{size}.npy",
        crops="data/{dataset}/crops_{size}.parquet",
    log:
        "logs/data/{dataset}/crop_{size}.log",
    group:
        "prepare"
    threads: demands.threads
    resources:
        mem_mb=demands.memory("crop"),
        runtime=demands.minutes("crop"),
    params:
        raw=lambda wildcards: str(study.raw_folder(wildcards.dataset)),
        size="{size}",
        settings=lambda wildcards: json.dumps(config["datasets"][wildcards.dataset]["crop"]),
    message:
        "Crop {wildcards.dataset} to {wildcards.size} pixels"
    shell:
        "brainmri crop --raw {params.raw:q} --inventory {input.inventory:q} --size {params.size}"
        " --settings {params.settings:q} --images {output.images:q} --crops {output.crops:q}"
        " --workers {threads} &> {log:q}"


# One data set's images as another crops its own, for models of that one.
use rule crop as crop_alike with:
    output:
        images="data/{dataset}/alike/{other}/images_{size}.npy",
        crops="data/{dataset}/alike/{other}/crops_{size}.parquet",
    log:
        "logs/data/{dataset}/crop_alike_{other}_{size}.log",
    wildcard_constraints:
        dataset=FETCHED,
        other=FETCHED,
    params:
        settings=lambda wildcards: json.dumps(config["datasets"][wildcards.other]["crop"]),
    message:
        "Crop {wildcards.dataset} to {wildcards.size} pixels, as {wildcards.other} is cropped"
