"""Run the notebooks and write their outputs back into them; the same inputs give the same files.

python notebooks/refresh.py [NAME ...]
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).parent


def run(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The notebook with fresh outputs, and nothing in it that changes from run to run.

    Raises:
        nbclient.exceptions.CellExecutionError: A cell failed.
    """
    where = {"metadata": {"path": str(HERE)}}
    NotebookClient(notebook, timeout=300, resources=where, record_timing=False).execute()
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return notebook


def main(names: Sequence[str]) -> None:
    """Refresh these notebooks; without names every one of this folder."""
    for path in [HERE / f"{name}.ipynb" for name in names] or sorted(HERE.glob("*.ipynb")):
        nbformat.write(run(nbformat.read(path, as_version=4)), path)
        print(path.name)


if __name__ == "__main__":
    main(sys.argv[1:])
