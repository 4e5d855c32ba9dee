"""Measured tables: energy and batteries."""
