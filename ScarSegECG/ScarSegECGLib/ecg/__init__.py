"""Read an ECG and measure its median beat."""
