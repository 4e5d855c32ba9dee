"""Early stopping: the best model so far, by queries that are neither trained on nor held out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from host_sdk.model import container
from host_sdk.model.model import Model
from host_sdk.train.checkpoint import Arrays


@dataclass
class Best:
    """Keeps the best model, and gives up after `patience` validations without a better one; 0: does nothing."""

    patience: int
    accuracy: float = -1.0
    waited: int = 0  # validations since
    model: Model | None = None

    @property
    def given_up(self) -> bool:
        """Whether there is no hope of a better one."""
        return 0 < self.patience <= self.waited

    def consider(self, accuracy: float, model: Model) -> None:
        """Take note of a validation."""
        if not self.patience:
            return
        self.waited += 1
        if accuracy > self.accuracy:
            self.accuracy, self.model, self.waited = accuracy, model, 0

    def state(self) -> Arrays:
        """What a checkpoint keeps."""
        data = container.write(self.model) if self.model else b""
        return {
            "best.figures": np.array([self.accuracy, self.waited]),
            "best.model": np.frombuffer(data, np.uint8),
        }

    @classmethod
    def restore(cls, patience: int, arrays: Arrays) -> Best:
        """What `state` was taken of."""
        accuracy, waited = arrays["best.figures"].tolist()
        data = arrays["best.model"].tobytes()
        return cls(patience, accuracy, int(waited), container.read(data) if data else None)
