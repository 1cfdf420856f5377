"""A 12-lead ECG computed from a heart whose scar is known: simulated, never to be called a patient's."""
