"""A CairnFS client in another language, from nothing but the .proto files: Python over gRPC.

Usage: client.py MASTER_ADDRESS GENERATED_DIRECTORY   (GENERATED_DIRECTORY holds protoc's --python_out)
Creates, uploads, lists, downloads, appends and deletes; prints one line for each step and exits 1 at the first failure.
"""

import os
import sys
import uuid

import grpc

master_address, generated = sys.argv[1], sys.argv[2]
sys.path.insert(0, generated)

from cairn.v1 import chunkserver_pb2, common_pb2, master_pb2  # noqa: E402

MIB = 1024 * 1024
CLIENT = uuid.uuid4().bytes
_numbers = iter(range(1, 1_000_000))


def operation():
    number = next(_numbers)
    return common_pb2.OperationId(client=CLIENT, number=number, settled_below=number)


class Service:
    """Calls the methods of one gRPC service by name, without generated stubs."""

    def __init__(self, address, name):
        self.channel = grpc.insecure_channel(address, options=[("grpc.max_receive_message_length", 16 * MIB)])
        self.name = name

    def _path(self, method):
        return f"/cairn.v1.{self.name}/{method}"

    def unary(self, method, request, reply):
        call = self.channel.unary_unary(self._path(method), type(request).SerializeToString, reply.FromString)
        return call(request, timeout=30)

    def upload(self, method, requests, request_type, reply):
        call = self.channel.stream_unary(self._path(method), request_type.SerializeToString, reply.FromString)
        return call(requests, timeout=60)

    def download(self, method, request, reply):
        call = self.channel.unary_stream(self._path(method), type(request).SerializeToString, reply.FromString)
        return call(request, timeout=60)


master = Service(master_address, "Master")
_chunkservers = {}


def chunkserver(address):
    if address not in _chunkservers:
        _chunkservers[address] = Service(address, "Chunkserver")
    return _chunkservers[address]


def upload(path, data):
    chunk_bytes = 64 * MIB
    pieces = [data[at : at + chunk_bytes] for at in range(0, len(data), chunk_bytes)]
    plan = master.unary(
        "BeginUpload",
        master_pb2.BeginUploadRequest(
            path=path, create=master_pb2.CREATE_MODE_REPLACE, chunk_count=len(pieces), operation=operation()
        ),
        master_pb2.BeginUploadReply,
    )
    stored = []
    for index, (piece, chunk) in enumerate(zip(pieces, plan.chunks)):

        def requests():
            yield chunkserver_pb2.StoreChunkRequest(chunk=chunk)
            for at in range(0, len(piece), MIB):
                yield chunkserver_pb2.StoreChunkRequest(data=piece[at : at + MIB])

        reply = chunkserver(chunk.replicas[0].address).upload(
            "StoreChunk", requests(), chunkserver_pb2.StoreChunkRequest, chunkserver_pb2.StoreChunkReply
        )
        assert reply.length == len(piece), (reply.length, len(piece))
        stored.append(master_pb2.UploadedChunk(handle=chunk.handle, length=len(piece), offset=index * chunk_bytes))
    return master.unary(
        "ConfirmUpload",
        master_pb2.ConfirmUploadRequest(upload_id=plan.upload_id, chunks=stored, operation=operation()),
        master_pb2.ConfirmUploadReply,
    ).attributes


def download(path):
    located = master.unary(
        "Locate", master_pb2.LocateRequest(file=common_pb2.FileRef(path=path)), master_pb2.LocateReply
    )
    data = bytearray(located.size)
    for extent in located.extents:
        chunk = extent.chunk
        request = chunkserver_pb2.RetrieveChunkRequest(
            handle=chunk.handle, version=chunk.version, length=extent.length, known_length=chunk.length
        )
        replies = chunkserver(chunk.replicas[-1].address).download(
            "RetrieveChunk", request, chunkserver_pb2.RetrieveChunkReply
        )
        for reply in replies:
            start = extent.offset + reply.offset
            data[start : start + len(reply.data)] = reply.data
    return bytes(data)


def append(path, record):
    inode = stat(path).inode
    extent = master.unary(
        "OpenExtent",
        master_pb2.OpenExtentRequest(inode=inode, append=True, operation=operation()),
        master_pb2.OpenExtentReply,
    ).extent
    reply = chunkserver(extent.chunk.replicas[0].address).unary(
        "Mutate",
        chunkserver_pb2.MutateRequest(
            handle=extent.chunk.handle,
            version=extent.chunk.version,
            append=True,
            data=record,
            operation=operation(),
            capacity=extent.limit - extent.offset,
        ),
        chunkserver_pb2.MutateReply,
    )
    return extent.offset + reply.offset


def stat(path):
    request = master_pb2.StatRequest(file=common_pb2.FileRef(path=path))
    return master.unary("Stat", request, master_pb2.StatReply).attributes


def names(path):
    request = master_pb2.ListRequest(directory=common_pb2.FileRef(path=path))
    return [entry.name for entry in master.unary("List", request, master_pb2.ListReply).entries]


def check(step, condition, detail=""):
    print(f"{'ok' if condition else 'FAILED'}: {step} {detail}", flush=True)
    if not condition:
        sys.exit(1)


master.unary(
    "MakeDirectory", master_pb2.MakeDirectoryRequest(path="/python", operation=operation()), master_pb2.MakeDirectoryReply
)
master.unary(
    "Create", master_pb2.CreateRequest(path="/python/empty", operation=operation()), master_pb2.CreateReply
)
check("create", stat("/python/empty").size == 0)

small, large = os.urandom(3000), os.urandom(65 * MIB)
check("upload a small file", upload("/python/small", small).size == len(small))
check("upload a file of two chunks", upload("/python/large", large).size == len(large))
check("list", names("/python") == ["empty", "large", "small"], str(names("/python")))
check("download the small file", download("/python/small") == small)
check("download the large file", download("/python/large") == large)
check("append", append("/python/small", b"and more") == len(small))
check("the append is read", download("/python/small") == small + b"and more")
check("the append is counted", stat("/python/small").size == len(small) + 8)

master.unary("Delete", master_pb2.DeleteRequest(path="/python/small", operation=operation()), master_pb2.DeleteReply)
check("delete", names("/python") == ["empty", "large"])
try:
    stat("/python/small")
    check("stat of a deleted file fails", False)
except grpc.RpcError as error:
    trailers = dict(error.trailing_metadata())
    detail = common_pb2.ErrorDetail.FromString(trailers["cairn-error-bin"])
    check("stat of a deleted file fails", error.code() == grpc.StatusCode.NOT_FOUND and detail.kind == "NOT_FOUND")
