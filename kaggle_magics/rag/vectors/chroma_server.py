"""A Chroma server by its address: `chroma run` on this machine or elsewhere, for more vectors than fit here."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import socket
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from kaggle_magics.errors import CollectionError
from kaggle_magics.rag.vectors.choice import choose_store
from kaggle_magics.rag.vectors.chroma_collection import ChromaCollection, settings
from kaggle_magics.rag.vectors.index import IndexSetting

_PATIENCE = 3.0
"""Seconds for a first connection."""


class ChromaServerIndex(ChromaCollection):
    """A collection on a server, named after ours and the folder that it lies in, so that a copy of the folder has one
    of its own. That of a temporary collection is deleted when it is closed.

    Raises `CollectionError` when the server does not answer. User and password in the address go into a header.
    """

    def __init__(self, setting: IndexSetting) -> None:
        super().__init__(setting, f"kaggle-magics-{_key(setting)}")
        self._url = urlsplit(setting.target)
        self.name = choose_store(setting.target).name
        self._temporary = setting.temporary
        self._port = self._url.port or (443 if self._url.scheme == "https" else 8000)
        try:
            with socket.create_connection((self._url.hostname or "", self._port), timeout=_PATIENCE):
                pass
        except OSError as error:
            raise self._unreachable(error) from error
        try:
            self._open()
        except ValueError as error:
            if self._client is None:  # what Chroma raises when the answer is not that of its server
                raise self._unreachable(error) from error
            self._start_over()
        except Exception as error:  # its client raises errors of its transport and of its own
            raise self._unreachable(error) from error

    def close(self) -> None:
        if self._client is not None:
            with contextlib.suppress(Exception):  # the server may be gone by now
                if self._temporary:
                    self._client.delete_collection(self._called)
                self._client.close()
        super().close()

    def _connected(self) -> Any:
        headers = {}
        if self._url.username is not None:
            pair = f"{unquote(self._url.username)}:{unquote(self._url.password or '')}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        return self._chromadb.HttpClient(
            host=self.name,  # with its port: Chroma reads none beside a whole address
            port=self._port,
            ssl=self._url.scheme == "https",
            headers=headers or None,
            settings=settings(self._chromadb),
        )

    def _start_over(self) -> None:
        self._client.delete_collection(self._called)
        self._open()

    def _unreachable(self, error: Exception) -> CollectionError:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:150]
        return CollectionError(
            f"The Chroma server at {self.name} does not answer ({reason}).",
            "Start it (chroma run), check the address, or use another --store.",
        )


def _key(setting: IndexSetting) -> str:
    identity = setting.records.get_meta("collection_id")
    if identity is None:
        identity = uuid4().hex
        setting.records.set_meta({"collection_id": identity})
    return hashlib.blake2b(f"{identity}\0{setting.folder}".encode(), digest_size=10).hexdigest()
