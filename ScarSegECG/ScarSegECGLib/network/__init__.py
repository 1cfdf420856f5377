"""The networks, their weights, and how much the ECG counts."""
