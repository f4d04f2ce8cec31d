# Input functions: files that rules read where the configuration says so.


def local_archive(wildcards):
    """The archive that a source reads, so that another archive under the same name is noticed."""
    source = config["datasets"][wildcards.dataset]["source"]
    archive = source.get("archive")
    if "kaggle" in source:
        archive = os.path.join(config["archives_dir"], f"{source['kaggle']}.zip")
    return archive if archive and os.path.exists(archive) else []


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
    recipe = config["models"][wildcards.model]
    path = recipe["pretrained"]
    if path is True:
        path = os.path.join(config["weights_dir"], f"{recipe['architecture']}.safetensors")
    return path if path and os.path.exists(path) else []


def of_members(pattern):
    """The files of the data sets that one is pooled from, in their order."""
    return lambda wildcards: expand(pattern, member=study.members_of(wildcards.dataset))


def overlaps_of_members(wildcards):
    """The pairs of copies between every two of the data sets that one is pooled from."""
    by_two = combinations(sorted(study.members_of(wildcards.dataset)), 2)
    return [study.overlap_path(*members) for members in by_two]
