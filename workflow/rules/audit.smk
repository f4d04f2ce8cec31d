# Which images are copies of which, and which belong together.


# The whole images, no border cut off: the box of the head moves with the brightness of a copy.
use rule crop as shrink with:
    output:
        images=f"data/{{dataset}}/whole_{AUDIT_SIZE}.npy",
        crops=f"data/{{dataset}}/whole_{AUDIT_SIZE}.parquet",
    log:
        "logs/data/{dataset}/shrink.log",
    resources:
        mem_mb=demands.memory("shrink"),
        runtime=demands.minutes("shrink"),
    params:
        size=AUDIT_SIZE,
        settings=json.dumps({"method": "none"}),
    message:
        "Shrink {wildcards.dataset} to {params.size} pixels"


rule audit:
    input:
        inventory="data/{dataset}/inventory.parquet",
        images=f"data/{{dataset}}/whole_{AUDIT_SIZE}.npy",
        code=code_of("brainmri.audit.audit"),
    output:
        duplicates="data/{dataset}/duplicates.parquet",
        groups="data/{dataset}/groups.parquet",
        rejected="data/{dataset}/rejected.parquet",
        counts="data/{dataset}/audit.json",
    log:
        "logs/data/{dataset}/audit.log",
    wildcard_constraints:
        dataset=FETCHED,
    group:
        "prepare"
    threads: demands.threads
    resources:
        mem_mb=demands.memory("audit"),
        runtime=demands.minutes("audit"),
    params:
        neighbours=lambda wildcards: json.dumps(config["datasets"][wildcards.dataset]["audit"]["neighbours"]),
    message:
        "Look for copies in {wildcards.dataset}"
    shell:
        "brainmri audit --inventory {input.inventory:q} --images {input.images:q}"
        " --neighbours {params.neighbours} --duplicates {output.duplicates:q} --groups {output.groups:q}"
        " --rejected {output.rejected:q} --output {output.counts:q} --workers {threads} &> {log:q}"


rule overlap:
    input:
        inventories=["data/{dataset}/inventory.parquet", "data/{other}/inventory.parquet"],
        images=[f"data/{{dataset}}/whole_{AUDIT_SIZE}.npy", f"data/{{other}}/whole_{AUDIT_SIZE}.npy"],
        code=code_of("brainmri.audit.overlap"),
    output:
        "data/{dataset}/overlap/{other}.parquet",
    log:
        "logs/data/{dataset}/overlap-{other}.log",
    wildcard_constraints:
        dataset=FETCHED,
        other=FETCHED,
    group:
        "pool"
    threads: demands.threads
    resources:
        mem_mb=demands.memory("overlap"),
        runtime=demands.minutes("overlap"),
    message:
        "Look for images of {wildcards.dataset} in {wildcards.other}"
    shell:
        "brainmri overlap --inventories {input.inventories:q} --images {input.images:q}"
        " --output {output:q} --workers {threads} &> {log:q}"


rule pool:
    input:
        inventories=of_members("data/{member}/inventory.parquet"),
        duplicates=of_members("data/{member}/duplicates.parquet"),
        rejections=of_members("data/{member}/rejected.parquet"),
        audits=of_members("data/{member}/audit.json"),
        records=of_members("data/{member}/fetch.json"),
        overlaps=overlaps_of_members,
        code=code_of("brainmri.audit.pool"),
    output:
        record="data/{dataset}/fetch.json",
        inventory="data/{dataset}/inventory.parquet",
        duplicates="data/{dataset}/duplicates.parquet",
        rejected="data/{dataset}/rejected.parquet",
        groups="data/{dataset}/groups.parquet",
        counts="data/{dataset}/audit.json",
    log:
        "logs/data/{dataset}/pool.log",
    wildcard_constraints:
        dataset=POOLED,
    group:
        "pool"
    resources:
        mem_mb=demands.memory("pool"),
        runtime=demands.minutes("pool"),
    params:
        members=lambda wildcards: json.dumps(study.members_of(wildcards.dataset)),
        unlinked=lambda wildcards: json.dumps(
            [] if config["datasets"][wildcards.dataset]["audit"]["neighbours"] else ["neighbour"]
        ),
    message:
        "Pool {wildcards.dataset} from {params.members}"
    shell:
        "brainmri pool --dataset {wildcards.dataset} --members {params.members:q}"
        " --inventories {input.inventories:q} --duplicates {input.duplicates:q}"
        " --rejections {input.rejections:q} --overlaps {input.overlaps:q} --audits {input.audits:q}"
        " --records {input.records:q} --record {output.record:q} --inventory {output.inventory:q}"
        " --pairs {output.duplicates:q} --rejected {output.rejected:q} --groups {output.groups:q}"
        " --output {output.counts:q} --unlinked {params.unlinked:q} &> {log:q}"
