"""Installs the Python peers of the bench, each into an environment of its own, at the versions that were measured.

They go to the folder that HAULIER_BENCH_PEERS names, else to ~/.cache/haulier-bench; what is there already stays.
"""

from __future__ import annotations

import subprocess
import sys
import venv

from tools.peers import PACKAGES, peers_folder


def main() -> None:
    """Install what is missing; ends with pip's error where it cannot."""
    for name, package in PACKAGES.items():
        folder = peers_folder() / name
        if not (folder / "bin" / "python").exists():
            venv.create(folder, with_pip=True)
        python = str(folder / "bin" / "python")
        quiet = ["--disable-pip-version-check", "--quiet"]
        done = subprocess.run([python, "-m", "pip", "install", *quiet, *package.split()], check=False)
        if done.returncode:
            sys.exit(f"{package} could not be installed")
        print(f"{name}: {package} in {folder}")


if __name__ == "__main__":
    main()
