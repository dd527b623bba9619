"""An ONNX graph, written down operator by operator."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from maskwright.runtimes.packages import demand

OPSET: Final = 18
"""The first whose Resize knows anti-aliasing."""
IR: Final = 8
"""The format's version that came with it: readers of that time take the file."""


class Graph:
    """Nodes and constants in the order in which they are computed; values are known by their names."""

    def __init__(self) -> None:
        self.onnx = demand("onnx", "onnx", "An ONNX file")
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.taps = False
        """Whether images are resized in plain operators."""
        self.opsets: dict[str, int] = {"": OPSET}
        self._known: dict[tuple[str, bytes, tuple[int, ...]], str] = {}

    def __call__(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """The name of what an operator makes of these values; an empty name is an input left out."""
        name = f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(self.onnx.helper.make_node(operator, inputs, [name], name=name, **attributes))
        return name

    def numbers(self, *values: int) -> str:
        """A row of int64."""
        return self.constant(np.array(values, np.int64))

    def constant(self, value: Any) -> str:
        """An array; the same one is kept once."""
        array = np.asarray(value)
        key = (str(array.dtype), array.tobytes(), array.shape)
        if key not in self._known:
            self._known[key] = name = f"constant_{len(self.constants)}"
            self.constants.append(self.onnx.numpy_helper.from_array(array, name))
        return self._known[key]

    def cast(self, value: str, dtype: str) -> str:
        """The value as another kind of number."""
        return self("Cast", value, to=self.kind(dtype))

    def kind(self, dtype: str) -> int:
        """ONNX's number for a kind of number."""
        return int(self.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def part(self, value: str, index: int) -> str:
        """One number of a row, as a row of one."""
        return self("Gather", value, self.numbers(index), axis=0)

    def row(self, *values: str) -> str:
        """Rows, one after the other."""
        return self("Concat", *values, axis=0)

    def count(self, stop: str) -> str:
        """0, 1 … stop-1, of a row of one."""
        scalar = self("Squeeze", stop, self.numbers(0))
        return self("Range", self.constant(np.int64(0)), scalar, self.constant(np.int64(1)))

    def function(self, model: Any) -> Callable[[str], str]:
        """What another graph of one input and one output makes of a value, however often; its constants are kept once.

        An ONNX file has functions of its own, but not all that read such files know them: its nodes are repeated.
        """
        graph, home = model.graph, f"network_{len(self.constants)}/"
        constants = {weight.name: home + weight.name for weight in graph.initializer}
        for weight in graph.initializer:
            self.constants.append(self.onnx.TensorProto())
            self.constants[-1].CopyFrom(weight)
            self.constants[-1].name = constants[weight.name]
        self.opsets |= {
            opset.domain: opset.version for opset in model.opset_import if opset.domain not in ("", "ai.onnx")
        }
        nodes = _in_order(graph)

        def made(value: str) -> str:
            own = f"{home}{len(self.nodes)}/"
            names = constants | {graph.input[0].name: value}
            names |= {name: own + name for node in nodes for name in node.output if name}
            for node in nodes:
                self.nodes.append(self.onnx.NodeProto())
                self.nodes[-1].CopyFrom(node)
                self.nodes[-1].name = own + node.name
                _rename(self.nodes[-1], names)
            return names[graph.output[0].name]

        return made

    def model(self, inputs: Sequence[Any], outputs: Sequence[Any]) -> Any:
        """The finished model, checked; inputs and outputs are (name, dtype, shape), a letter for what is open."""
        make = self.onnx.helper
        ends = [
            [make.make_tensor_value_info(name, self.kind(dtype), shape) for name, dtype, shape in side]
            for side in (inputs, outputs)
        ]
        graph = make.make_graph(self.nodes, "maskwright", *ends, initializer=self.constants)
        model = make.make_model(
            graph, opset_imports=[make.make_opsetid(*pair) for pair in self.opsets.items()], ir_version=IR
        )
        model.producer_name = "maskwright"
        self.onnx.checker.check_model(model)
        return model


def _rename(node: Any, names: Mapping[str, str]) -> None:
    """Other names for what a node, and the graphs inside it, read and make."""
    for values in (node.input, node.output):
        values[:] = [names.get(name, name) for name in values]
    for attribute in node.attribute:
        for inner in attribute.g.node:
            _rename(inner, names)


def _in_order(graph: Any) -> list[Any]:
    """The nodes of a graph, each after those whose values it reads; who rewrites a graph may leave them otherwise."""
    known = {"", *(value.name for value in graph.input), *(value.name for value in graph.initializer)}
    waiting, done = list(graph.node), list[Any]()
    while waiting:
        ready = [node for node in waiting if known.issuperset(node.input)]
        assert ready, "a graph has no circles"
        waiting = [node for node in waiting if not known.issuperset(node.input)]
        known.update(name for node in ready for name in node.output)
        done += ready
    return done
