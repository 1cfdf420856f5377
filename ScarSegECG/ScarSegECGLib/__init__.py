"""Myocardial scar in LGE MRI with the help of the 12-lead ECG and the AHA-17 anatomy."""

__version__ = "0.1.0"
