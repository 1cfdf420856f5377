"""Phantom, simulation, data sets, training and evaluation."""
