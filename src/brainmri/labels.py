"""The canonical classes, and the words by which public data sets call them."""

CLASS_NAMES = ("glioma", "meningioma", "pituitary", "no_tumor")
HEALTHY = "no_tumor"  # the class that all others, any tumour, are told from

# Folder names seen in public sets (lower case, without separators) for each canonical class.
FOLDER_WORDS = {
    "glioma": {"glioma", "gliomatumor", "brainglioma"},
    "meningioma": {"meningioma", "meningiomatumor", "brainmenin", "brainmeningioma"},
    # The folder `brain_tumor` of orvile holds pituitary tumours: it must be mapped by hand.
    "pituitary": {"pituitary", "pituitarytumor", "brainpituitary"},
    "no_tumor": {"notumor", "notumour", "normal", "healthy"},
}
