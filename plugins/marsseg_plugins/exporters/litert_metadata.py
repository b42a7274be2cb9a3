"""The named metadata of a file of LiteRT."""

from __future__ import annotations

from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils


def with_metadata(content: bytes, name: str, value: bytes) -> bytes:
    """Return the content of a file with an entry of metadata."""
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
    model.buffers.append(schema.BufferT(data=list(value)))
    model.metadata = [*(model.metadata or []), schema.MetadataT(name, len(model.buffers) - 1)]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def metadata_of(content: bytes, name: str) -> bytes:
    """Return the entry of a file's metadata with this name."""
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(content))
    entry = next(entry for entry in model.metadata if entry.name == name.encode())
    return bytes(model.buffers[entry.buffer].data)
