"""Predictions, calibration, metrics with intervals, comparison."""
