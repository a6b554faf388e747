"""The ONNX graph of a policy-value net, in the form that ONNX Runtime runs fastest on small boards.

It computes what ``trimtab.models.policy_value`` computes, from weights of the same names. An
exported trace of the module costs a fifth more, for on a board of 42 cells a node costs about as
much as the arithmetic in it, and the runtime's convolutions keep their channels in blocks: every
node that it cannot run on blocks costs a copy to the plain layout and one back. So each stage is
written with operators that stay in blocks, and neighbours are such as the runtime fuses.

B is the batch, P the planes of an observation, H and W the board, A the actions, C the channels.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from trimtab.models.policy_value import PolicyValueConfig, board_lines
from trimtab.protocols import Array

OPSET = 18
IR_VERSION = 10
BLOCK = 16
"""The most channels that the runtime keeps in one block."""
_FLAT = (0, -1)
Attribute: TypeAlias = int | float | str | list[int]


def build_board_graph(config: PolicyValueConfig) -> Any:  # noqa: ANN401 - onnx has no types here
    """Return an ONNX model whose weights are zeros, under the names of the net's parameters.

    Its inputs are ``observation`` `[B, P, H, W]` and ``legal`` `[B, A]`, its outputs ``priors``
    `[B, A]` and ``values`` `[B]`.
    """
    from onnx import TensorProto, checker, helper

    graph = _Graph(config)
    x = graph.stem()
    for number in range(config.blocks):
        x = graph.block(x, f"tower.{number}")
    graph.heads(x)

    def tensor(name: str, *sizes: int) -> Any:  # noqa: ANN401
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *sizes])

    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "board_net",
            [tensor("observation", *config.observation_shape), tensor("legal", config.actions)],
            [tensor("priors", config.actions), tensor("values")],
            graph.initializers,
            value_info=[
                tensor(name, config.channels, config.height, config.width) for name in graph.boards
            ],
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    checker.check_model(model)
    return model


class _Graph:
    """Nodes and initializers of a graph while it is written."""

    def __init__(self, config: PolicyValueConfig) -> None:
        self.config = config
        self.cells = config.height * config.width
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self.boards: list[str] = []
        self._known: set[str] = set()

    def stem(self) -> str:
        """Write the planes' way to `[B, C, H, W]`."""
        config, x = self.config, "observation"
        planes = config.planes
        if config.line_length:
            x = self.op("Concat", x, self.lines(), axis=1)
            planes += 2 * (config.line_length - 1)
        x = self.convolution(x, "stem", planes, config.channels, 3)
        self.weight("place", 1, config.channels, config.height, config.width)
        return self.joined(self.op("Add", x, "place"))

    def lines(self) -> str:
        """Write ``LineCounts``: one product for the open lines, one for the cells on them."""
        config, cells = self.config, self.cells
        lines = board_lines(config.height, config.width, config.line_length)
        members = np.zeros((cells, len(lines)), np.float32)
        for index, line in enumerate(lines):
            members[line, index] = 1.0
        stones = "observation"
        if config.planes > 2:
            bounds = (self.whole("0", 0), self.whole("2", 2), self.whole("1", 1))
            stones = self.op("Slice", stones, *bounds)
        stones = self.op("Reshape", stones, self.whole("flat", *_FLAT))
        blocked = -config.line_length * members
        both = np.block([[members, blocked], [blocked, members]])
        free = self.op("Gemm", stones, self.constant("free", both))
        free = self.op("Reshape", free, self.whole("by_player", 0, 2, 1, len(lines)))
        levels = np.arange(config.line_length - 1, dtype=np.float32)[:, None]
        held = self.op("Sub", free, self.constant("levels", levels))
        held = self.op("HardSigmoid", held, alpha=1.0, beta=0.0)
        count = 2 * (config.line_length - 1)
        held = self.op("Reshape", held, self.whole("by_level", 0, count, len(lines)))
        through = self.op("MatMul", held, self.constant("through", 0.5 * members.T))
        taken = -np.concatenate([np.eye(cells, dtype=np.float32)] * 2)
        ones = self.constant("ones", np.ones(cells, np.float32))
        empty = self.op("Gemm", stones, self.constant("taken", taken), ones)
        empty = self.op("Reshape", empty, self.whole("by_cell", 0, 1, cells))
        shape = self.whole("board", 0, count, config.height, config.width)
        return self.op("Reshape", self.op("Mul", through, empty), shape)

    def block(self, x: str, name: str) -> str:
        """Write a residual block."""
        channels = self.config.channels
        y = self.op("Relu", self.convolution(x, f"{name}.first", channels, channels, 3))
        y = self.convolution(y, f"{name}.second", channels, channels, 3)
        return self.joined(self.op("Mul", y, self.gates(y, f"{name}.gate")), x)

    def gates(self, x: str, name: str) -> str:
        """Write the gates of squeeze-and-excitation, repeated over the board.

        A product of channels and boards would leave the blocks, one of boards does not; nor does a
        squeeze to whole blocks.
        """
        config = self.config
        channels, squeezed = config.channels, config.channels // 4
        missing = -squeezed % BLOCK
        squeeze, squeeze_bias = self.affine(f"{name}.squeeze", squeezed, channels)
        excite, excite_bias = self.affine(f"{name}.excite", channels, squeezed)
        squeeze = self.op("Pad", squeeze, self.whole("pad_0", 0, 0, missing, 0))
        squeeze_bias = self.op("Pad", squeeze_bias, self.whole("pad_bias", 0, missing))
        excite = self.op("Pad", excite, self.whole("pad_1", 0, 0, 0, missing))
        gates = self.op("GlobalAveragePool", x)
        gates = self.op("Relu", self.point(gates, squeeze, squeeze_bias))
        gates = self.op("Sigmoid", self.point(gates, excite, excite_bias))
        scales = np.array([1, 1, config.height, config.width], np.float32)
        gates = self.op(
            "Resize",
            gates,
            "",
            self.constant("scales", scales),
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )
        # the runtime infers no sizes here, and does not multiply boards of unknown sizes in blocks
        self.boards.append(gates)
        return gates

    def joined(self, x: str, residual: str | None = None) -> str:
        """Write ``relu(x + residual)`` as a convolution by 1, with which the runtime fuses both."""
        channels = self.config.channels
        identity = self.constant("identity", np.ones((channels, 1, 1, 1), np.float32))
        x = self.op("Conv", x, identity, kernel_shape=[1, 1], group=channels)
        return self.op("Relu", x if residual is None else self.op("Add", x, residual))

    def heads(self, x: str) -> None:
        """Write policy and value, which read the tower in one convolution."""
        config = self.config
        read, width = config.head_channels, config.head_channels * self.cells
        for head in ("policy_read", "value_read"):
            self.weight(f"{head}.weight", read, config.channels, 1, 1)
            self.weight(f"{head}.bias", read)
        weight = self.op("Concat", "policy_read.weight", "value_read.weight", axis=0)
        bias = self.op("Concat", "policy_read.bias", "value_read.bias", axis=0)
        x = self.op("Conv", x, weight, bias, kernel_shape=[1, 1])
        x = self.op("Reshape", self.op("Relu", x), self.whole("flat", *_FLAT))
        policy, value = self.split(x)
        policy = self.op(
            "Gemm", policy, *self.affine("policy_out", config.actions, width), transB=1
        )
        lowest = np.float32(1e9)
        scaled = self.constant("lowest", lowest * np.eye(config.actions, dtype=np.float32))
        mask = self.op(
            "Gemm", "legal", scaled, self.constant("mask", np.full(config.actions, -lowest))
        )
        policy = self.op("Softmax", self.op("Add", policy, mask), axis=1)
        self.op("Mul", policy, "legal", name="priors")
        hidden = self.affine("value_hidden", config.value_hidden, width)
        value = self.op("Relu", self.op("Gemm", value, *hidden, transB=1))
        weight, bias = self.affine("value_out", 1, config.value_hidden)
        half = self.constant("half", np.float32(0.5))
        weight, bias = self.op("Mul", weight, half), self.op("Mul", bias, half)
        value = self.op("Tanh", self.op("Gemm", value, weight, bias, transB=1))
        self.op("Reshape", value, self.whole("row", -1), name="values")

    def convolution(self, x: str, name: str, planes: int, channels: int, size: int) -> str:
        """Write a convolution that keeps the board's size."""
        self.weight(f"{name}.weight", channels, planes, size, size)
        self.weight(f"{name}.bias", channels)
        return self.op(
            "Conv",
            x,
            f"{name}.weight",
            f"{name}.bias",
            kernel_shape=[size, size],
            pads=[size // 2] * 4,
        )

    def point(self, x: str, weight: str, bias: str) -> str:
        """Write a linear layer on boards of one cell."""
        weight = self.op("Unsqueeze", weight, self.whole("cell", 2, 3))
        return self.op("Conv", x, weight, bias, kernel_shape=[1, 1])

    def affine(self, name: str, rows: int, columns: int) -> tuple[str, str]:
        """Return the names of the weights of a linear layer."""
        return self.weight(f"{name}.weight", rows, columns), self.weight(f"{name}.bias", rows)

    def split(self, x: str) -> tuple[str, str]:
        """Write the halves of rows."""
        halves = (f"{x}_left", f"{x}_right")
        self.node("Split", (x,), halves, axis=1, num_outputs=2)
        return halves

    def op(self, kind: str, *inputs: str, name: str = "", **attributes: Attribute) -> str:
        """Write a node of one output and return the output's name."""
        name = name or f"{kind}_{len(self.nodes)}"
        self.node(kind, inputs, (name,), **attributes)
        return name

    def node(
        self,
        kind: str,
        inputs: tuple[str, ...],
        outputs: tuple[str, ...],
        **attributes: Attribute,
    ) -> None:
        """Write a node."""
        from onnx import helper

        node = helper.make_node(kind, inputs, outputs, f"node_{len(self.nodes)}")
        node.attribute.extend(helper.make_attribute(k, value) for k, value in attributes.items())
        self.nodes.append(node)

    def weight(self, name: str, *shape: int) -> str:
        """Declare a weight to be filled in."""
        return self.constant(name, np.zeros(shape, np.float32))

    def whole(self, name: str, *numbers: int) -> str:
        """Declare a list of whole numbers."""
        return self.constant(f"whole_{name}", np.array(numbers, np.int64))

    def constant(self, name: str, values: Any) -> str:  # noqa: ANN401 - an array of any type
        """Declare an array, once for every name."""
        from onnx import numpy_helper

        if name not in self._known:
            self._known.add(name)
            array: Array = np.asarray(values)
            self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name
