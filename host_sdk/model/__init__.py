"""Meaning: text hashing, the model, its file, the numpy reference engine, importers. Knows no board."""

from host_sdk.model.model import Layer, Model, ReplyText

__all__ = ["Layer", "Model", "ReplyText"]
