# The page that shows all that was found.


rule report:
    input:
        made=made_for_page,
        code=code_of("brainmri.reporting.report"),
    output:
        page=shown(
            "results/{study}/report/index.html", "the whole report on one page", "Page", caption="page"
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
