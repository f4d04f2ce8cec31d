"""Where the files of a data set come from: Kaggle, an archive, a folder, the phantom generator."""
