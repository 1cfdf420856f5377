"""Myocardial scar in LGE MRI with the help of the 12-lead ECG and the AHA-17 anatomy."""

__version__ = "0.1.0"
RESEARCH_USE = "For research use; not a medical device."
"""Stands in every file and on every picture."""
