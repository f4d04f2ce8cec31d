# Input functions: files that rules read where the configuration says so.

# Where a training lies, and what comes of it.
RUN = "results/{study}/{dataset}/{split}/{model}/seed{seed}"
# The page shows data sets by their largest packed images.
SIZE_SHOWN = max(study.image_sizes())


def archive_of_dataset(wildcards):
    """The archive that a source reads, so that another archive under the same name is noticed."""
    return study.local_archive(wildcards.dataset) or []


def files_of_folder(wildcards):
    """The digest of the files in the folder that a source copies, so that what changes there is noticed."""
    directory = study.source_directory(wildcards.dataset)
    try:
        record = study.data_folder(wildcards.dataset) / "fetch.json"
        return directory and digest_of_source(wildcards.dataset, directory, record)
    except BrainmriError as error:
        # The rule itself tells what is wrong, in its log.
        return str(error)


def table_of_dataset(wildcards):
    """The table of labels, so that a change of it is noticed; of one among the raw files the checksums tell."""
    return study.label_table(wildcards.dataset) or []


def images_of_model(wildcards):
    """The packed array in the size that the model wants."""
    size = config["models"][wildcards.model]["image_size"]
    return f"data/{wildcards.dataset}/images_{size}.npy"


def crops_of_model(wildcards):
    """The boxes of the head in the images that the model sees."""
    size = config["models"][wildcards.model]["image_size"]
    return f"data/{wildcards.dataset}/crops_{size}.parquet"


def prepared_as_trained(pattern):
    """A file of the other data set's images, prepared as the model's own are: one crop serves where both are equal."""

    def path(wildcards):
        folder = study.prepared_folder(wildcards.dataset, wildcards.other)
        return folder / pattern.format(size=config["models"][wildcards.model]["image_size"])

    return path


def overlap_with_other(wildcards):
    """The pairs of copies between the data set that a model is from and the one that it is tested on."""
    return study.overlap_of(wildcards.dataset, wildcards.other)


def pretrained_weights(wildcards):
    """The local weights that the model starts from, so that a change of them is noticed."""
    return study.local_weights(wildcards.model) or []


def of_members(pattern):
    """The files of the data sets that one is pooled from, in their order."""
    return lambda wildcards: expand(pattern, member=study.members_of(wildcards.dataset))


def overlaps_of_members(wildcards):
    """The pairs of copies between every two of the data sets that one is pooled from."""
    by_two = combinations(sorted(study.members_of(wildcards.dataset)), 2)
    return [study.overlap_path(*members) for members in by_two]


def made_for_page(wildcards):
    """All that the study makes, but images, weights, and what only other stages or DVC read."""
    apart = {"checksum", "shrink", "crop_alike", "plot_data", "report"}
    jobs = [job for job in jobs_of(study) if job.rule not in apart]
    shown = [job for job in jobs if job.wildcards.get("size", str(SIZE_SHOWN)) == str(SIZE_SHOWN)]
    return [path for job in shown for path in job.outputs if path.suffix not in (".npy", ".safetensors")]
