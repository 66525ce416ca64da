"""Vector indexes: derived from the records, so that any of them can be thrown away and built again."""

from kaggle_magics.rag.vectors.choice import NAMES, Store, choose_store, discard_others, open_index
from kaggle_magics.rag.vectors.index import VectorIndex
from kaggle_magics.rag.vectors.keeping import nearest, synchronise

__all__ = ["NAMES", "Store", "VectorIndex", "choose_store", "discard_others", "nearest", "open_index", "synchronise"]
