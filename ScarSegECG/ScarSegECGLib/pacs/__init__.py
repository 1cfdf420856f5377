"""To an image archive and back, over DICOMweb."""
