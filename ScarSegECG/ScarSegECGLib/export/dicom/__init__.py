"""A result as DICOM objects, beside the images it was made from."""
