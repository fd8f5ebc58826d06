"""Reads the tensors of a TorchScript archive, and nothing else of it.

Such an archive is a ZIP file: numbers under `data/`, a pickle `data.pkl` that says which tensor is
which, and source code. `torch.load(weights_only=True)` refuses it and `torch.jit.load` compiles the
code. Here the pickle is interpreted by hand: the opcodes that TorchScript writes, on plain
containers. A name in it stays a name, so nothing is imported and nothing is called.
"""

from __future__ import annotations

import contextlib
import math
import pickletools
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch

from hlcli.errors import CheckpointError

_MAX_PICKLE_BYTES = 4 << 20  # names and shapes: some hundred kilobytes in CLIP's
_MAX_MEMBERS = 20_000
_MAX_PARTS = 100_000
_MAX_DEPTH = 32

_DTYPES = {
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "DoubleStorage": torch.float64,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
_TENSOR = "torch._utils _rebuild_tensor_v2"
_MAPPING = "collections OrderedDict"
_LISTS = frozenset(
    f"torch.jit._pickle build_{kind}list" for kind in ("int", "double", "bool", "tensor")
)
_STORAGES = {f"torch {name}": dtype for name, dtype in _DTYPES.items()}
_NAMES = frozenset({_TENSOR, _MAPPING}) | _LISTS | frozenset(_STORAGES)


class _Global(NamedTuple):
    """A name in the pickle, `module name`; never looked up."""

    name: str


class _Storage(NamedTuple):
    """Where the numbers of one or more tensors are: `data/<key>`."""

    key: str
    dtype: torch.dtype
    length: int


@dataclass(frozen=True, slots=True)
class _View:
    """A tensor as the pickle describes it, not read yet."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass(slots=True)
class _Module:
    """An object of the archive's own classes: its attributes by name."""

    state: dict[str, Any]


class ScriptTensors(Mapping[str, torch.Tensor]):
    """The tensors of an archive by name, such as `visual.conv1.weight`; read when asked for.

    Looking one up raises `CheckpointError` when its numbers are not in the archive.
    """

    def __init__(self, archive: zipfile.ZipFile, folder: str, views: Mapping[str, _View]) -> None:
        self._archive = archive
        self._folder = folder
        self._views = views

    def __getitem__(self, name: str) -> torch.Tensor:
        view = self._views[name]
        with _refusals(str(self._archive.filename)):
            return _tensor(self._archive, self._folder, view)

    def __iter__(self) -> Iterator[str]:
        return iter(self._views)

    def __len__(self) -> int:
        return len(self._views)


@contextlib.contextmanager
def script_tensors(path: Path) -> Iterator[ScriptTensors]:
    """Open a TorchScript archive for reading its tensors.

    Args:
        path: The archive, as `torch.jit.save` writes it.

    Raises:
        CheckpointError: The file cannot be read, is no such archive, or asks for more than
            tensors in plain containers.
    """
    with contextlib.ExitStack() as stack:
        with _refusals(str(path)):
            archive = stack.enter_context(zipfile.ZipFile(path))
            folder, data = _pickle(archive)
            views = _views(_interpreted(data))
        yield ScriptTensors(archive, folder, views)


@contextlib.contextmanager
def _refusals(name: str) -> Iterator[None]:
    try:
        yield
    except (ValueError, OSError, RuntimeError, EOFError, zipfile.BadZipFile) as error:
        raise _refused(name, getattr(error, "strerror", None) or str(error)) from error
    except (struct.error, zlib.error, LookupError, TypeError, AttributeError) as error:
        raise _refused(name, "it is damaged") from error


def _refused(name: str, why: str) -> CheckpointError:
    return CheckpointError(
        f"{name} cannot be read as a TorchScript archive: {why}",
        hint="fetch it again from where it was published",
    )


def _pickle(archive: zipfile.ZipFile) -> tuple[str, bytes]:
    """Return the folder that everything lies in, with its slash, and the bytes of `data.pkl`."""
    names = archive.namelist()
    if len(names) > _MAX_MEMBERS or len(set(names)) < len(names):
        raise ValueError(f"its {len(names)} members are too many or repeat a name")
    folders = [name.removesuffix("data.pkl") for name in names if name.endswith("/data.pkl")]
    folders = [folder for folder in folders if folder.count("/") == 1]
    if len(folders) != 1:
        raise ValueError("it has no data.pkl")
    return folders[0], _stored(archive, f"{folders[0]}data.pkl", at_most=_MAX_PICKLE_BYTES)


def _stored(archive: zipfile.ZipFile, name: str, *, at_most: int) -> bytes:
    """Return a member that is not compressed, so that it cannot be larger than the file."""
    try:
        info = archive.getinfo(name)
    except KeyError:
        raise ValueError(f"it has no {name!r}") from None
    if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
        raise ValueError(f"{name!r} is compressed, which TorchScript never does")
    if info.file_size > at_most:
        raise ValueError(f"{name!r} has {info.file_size:,} bytes, expected {at_most:,} at most")
    return archive.read(info)


def _tensor(archive: zipfile.ZipFile, folder: str, view: _View) -> torch.Tensor:
    """Read the numbers of one tensor, in memory of its own."""
    storage = view.storage
    num_bytes = storage.length * storage.dtype.itemsize
    member = f"{folder}data/{storage.key}"
    data = _stored(archive, member, at_most=num_bytes)
    if len(data) != num_bytes:
        raise ValueError(f"{member!r} has {len(data):,} bytes, expected {num_bytes:,}")
    if not math.prod(view.shape):
        return torch.empty(view.shape, dtype=storage.dtype)
    flat = torch.frombuffer(bytearray(data), dtype=storage.dtype)
    return flat.as_strided(view.shape, view.strides, view.offset).contiguous().clone()


def _views(root: Any) -> dict[str, _View]:
    """Return the tensors below an object by the path of attributes that leads to each."""
    views: dict[str, _View] = {}
    waiting: list[tuple[str, int, Any]] = [("", 0, root)]
    num_parts = 0
    while waiting:
        prefix, depth, part = waiting.pop()
        num_parts += 1
        # Parts may be shared or hold themselves: what is walked is bounded, not what is there.
        if num_parts > _MAX_PARTS or depth > _MAX_DEPTH:
            raise ValueError("its objects are nested too deep or too many")
        if isinstance(part, _View):
            views[prefix] = part
        elif isinstance(part, _Module):
            waiting += [
                (f"{prefix}.{name}" if prefix else name, depth + 1, inner)
                for name, inner in part.state.items()
            ]
    return views


# What follows is the pickle. Nothing in it may look at a value deeper than its own type: parts can
# be nested so that a comparison, a hash or a repr takes for ever.


def _interpreted(data: bytes) -> Any:
    """Return what a pickle describes, as plain containers, `_Module` and `_View`."""
    machine = _Machine()
    for opcode, argument, _ in pickletools.genops(data):
        if opcode.name == "STOP":
            return machine.stack.pop()
        step = _STEPS.get(opcode.name)
        if step is None:
            raise ValueError(f"its pickle has the opcode {opcode.name}, which is not allowed")
        step(machine, argument)
    raise ValueError("its pickle has no end")


class _Machine:
    """The stack and the memo of a pickle."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def push_tuple(self, size: int) -> None:
        if size > len(self.stack):
            raise ValueError("its pickle takes more than it has")
        split = len(self.stack) - size
        self.stack[split:] = [tuple(self.stack[split:])]

    def marked(self) -> list[Any]:
        mark = self.marks.pop()
        taken, self.stack[mark:] = self.stack[mark:], []
        return taken

    def name(self, argument: str) -> None:
        if argument not in _NAMES and not argument.startswith("__torch__"):
            raise ValueError(
                f"its pickle names {argument.replace(' ', '.')!r}, which is not allowed"
            )
        self.push(_Global(argument))

    def new(self, _: object) -> None:
        arguments, kind = self.stack.pop(), self.stack.pop()
        if not isinstance(kind, _Global) or kind.name in _NAMES or arguments != ():
            raise ValueError("its pickle makes an object that is not TorchScript's")
        self.push(_Module({}))

    def build(self, _: object) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        if not isinstance(target, _Module):
            raise ValueError("its pickle gives attributes to what takes none")
        # A class may pack its state as it likes; only attributes by name can be weights.
        if isinstance(state, dict):
            target.state = state

    def set_items(self, pairs: list[Any]) -> None:
        table = self.stack[-1]
        if not isinstance(table, dict) or len(pairs) % 2:
            raise ValueError("its pickle puts entries into what takes none")
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            if not isinstance(key, str | int):
                raise ValueError("its pickle has a key that is neither text nor number")
            table[str(key)] = value

    def append(self, values: list[Any]) -> None:
        if not isinstance(self.stack[-1], list):
            raise ValueError("its pickle appends to what is no list")
        self.stack[-1].extend(values)

    def storage(self, _: object) -> None:
        identity = self.stack.pop()
        if not isinstance(identity, tuple) or len(identity) < 5:
            raise ValueError("its pickle refers to something outside that is no storage")
        kind, key, length = identity[1], identity[2], identity[4]
        if not isinstance(kind, _Global) or kind.name not in _STORAGES:
            raise ValueError("its pickle has a storage of an unknown kind")
        if not isinstance(key, str) or not key.isdecimal() or not _is_size(length):
            raise ValueError("its pickle has a storage without a proper key or length")
        self.push(_Storage(key, _STORAGES[kind.name], length))

    def reduce(self, _: object) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        if not isinstance(function, _Global) or not isinstance(arguments, tuple):
            raise ValueError("its pickle calls what is no function")
        if function.name == _TENSOR:
            self.push(_view(arguments))
        elif function.name == _MAPPING and not arguments:
            self.push({})
        elif function.name in _LISTS and len(arguments) == 1:
            self.push(arguments[0])
        else:
            raise ValueError(f"its pickle calls {function.name.replace(' ', '.')!r}")


def _view(arguments: tuple[Any, ...]) -> _View:
    """Check the arguments of `_rebuild_tensor_v2`: the view must stay within its storage."""
    if len(arguments) < 4:
        raise ValueError("its pickle describes a tensor in too few words")
    storage, offset, shape, strides = arguments[:4]
    sizes = (shape, strides)
    if not isinstance(storage, _Storage) or not _is_size(offset):
        raise ValueError("its pickle has a tensor without a storage")
    if not all(
        isinstance(size, tuple) and len(size) <= 8 and all(map(_is_size, size)) for size in sizes
    ):
        raise ValueError("its pickle has a tensor without a proper shape")
    last = sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    # A stride of 0 would make a large tensor from a small storage.
    if math.prod(shape) and max(offset + last + 1, math.prod(shape)) > storage.length:
        raise ValueError("its pickle has a tensor that is larger than its storage")
    return _View(storage, offset, shape, strides)


def _is_size(value: object) -> bool:
    return type(value) is int and 0 <= value < 1 << 48


def _constant(value: object) -> Callable[[_Machine, Any], None]:
    return lambda machine, _: machine.push(value)


def _memorize(machine: _Machine, index: int) -> None:
    machine.memo[index] = machine.stack[-1]


def _tuple_of(size: int) -> Callable[[_Machine, Any], None]:
    return lambda machine, _: machine.push_tuple(size)


_STEPS: Mapping[str, Callable[[_Machine, Any], None]] = {
    "PROTO": lambda machine, _: None,
    "GLOBAL": _Machine.name,
    "NEWOBJ": _Machine.new,
    "BUILD": _Machine.build,
    "REDUCE": _Machine.reduce,
    "BINPERSID": _Machine.storage,
    "MARK": lambda machine, _: machine.marks.append(len(machine.stack)),
    "EMPTY_DICT": lambda machine, _: machine.push({}),
    "EMPTY_LIST": lambda machine, _: machine.push([]),
    "EMPTY_TUPLE": _constant(()),
    "TUPLE": lambda machine, _: machine.push(tuple(machine.marked())),
    "TUPLE1": _tuple_of(1),
    "TUPLE2": _tuple_of(2),
    "TUPLE3": _tuple_of(3),
    "SETITEM": lambda machine, _: machine.set_items([machine.stack.pop(-2), machine.stack.pop()]),
    "SETITEMS": lambda machine, _: machine.set_items(machine.marked()),
    "APPEND": lambda machine, _: machine.append([machine.stack.pop()]),
    "APPENDS": lambda machine, _: machine.append(machine.marked()),
    "BINPUT": _memorize,
    "LONG_BINPUT": _memorize,
    "BINGET": lambda machine, index: machine.push(machine.memo[index]),
    "LONG_BINGET": lambda machine, index: machine.push(machine.memo[index]),
    "NONE": _constant(None),
    "NEWTRUE": _constant(True),
    "NEWFALSE": _constant(False),
    **dict.fromkeys(
        ("BINUNICODE", "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"), _Machine.push
    ),
}
