"""The doors that readers and outputs are handed: files below one folder, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from haulier.errors import ConfigurationError

__all__ = ["FolderDoors"]


class FolderDoors:
    """Opens files below `root`, whatever a path says."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    def open_read(self, path: str) -> BinaryIO:
        """Open a file for reading."""
        return self._below(path).open("rb")

    def open_append(self, path: str) -> BinaryIO:
        """Open a file for appending and reading, creating it and its folders."""
        place = self._below(path)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            return place.open("a+b", buffering=0)
        except OSError as error:
            raise ConfigurationError(f"cannot write {path}: {error.strerror}; choose another path") from None

    def make_durable(self, file: BinaryIO) -> None:
        """Wait until the disk has it."""
        os.fsync(file.fileno())

    def _below(self, path: str) -> Path:
        place = (self._root / path).resolve()
        if not place.is_relative_to(self._root):
            raise ConfigurationError(f"{path} is outside {self._root}; write a path below it")
        return place
