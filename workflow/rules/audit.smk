# Which images are copies of which, and which belong together.


rule audit:
    input:
        inventory="data/{dataset}/inventory.parquet",
        code=code_of("brainmri.audit.audit"),
    output:
        duplicates="data/{dataset}/duplicates.parquet",
        groups="data/{dataset}/groups.parquet",
        counts="data/{dataset}/audit.json",
    log:
        "logs/data/{dataset}/audit.log",
    message:
        "Look for copies in {wildcards.dataset}"
    shell:
        "brainmri audit --inventory {input.inventory:q} --duplicates {output.duplicates:q}"
        " --groups {output.groups:q} --output {output.counts:q} &> {log:q}"
