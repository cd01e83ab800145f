"""The encoders of a model repository as torch nets again, so that a training can begin with them, or keep them.

The repository holds IRs: weights in int8, and each batch norm folded into the convolution before it. Weights come back
as the multiples of their scale that are served. A batch norm comes back with the statistics of the golden windows, and
the weight and bias that make it say what the folded one says: so it is a norm that can go on learning. The fusion head
does not come back: what it knows of no window in particular (its latents, the places of the modalities) was computed
once and for all when it was exported. It is small, and learns anew from any data in minutes.

What came back is proved on the golden windows before anybody gets it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import openvino
import torch
from torch import Tensor, nn

from neopain import __version__
from neopain.domain.score import Weights
from neopain.errors import ConfigurationError
from neopain.features import signature
from neopain.models.checkpoint import Checkpoint
from neopain.models.engines import IR_FILE, openvino_core
from neopain.models.graph import ENCODERS
from neopain.models.networks import Networks
from neopain.models.repository import TOLERANCE, Deviation, GoldenWindow, read_golden, read_model, within

Array = npt.NDArray[np.float64]
Convolution = nn.Conv1d | nn.Conv2d | nn.Conv3d
BatchNorm = nn.BatchNorm1d | nn.BatchNorm3d

_SUMS: Final = (
    "aten::batch_norm/BatchNormInference",
    "aten::layer_norm/Add",
    "aten::linear/Add",
    "aten::_convolution/Add",
)
"""What OpenVINO's converter calls the last sum of a module, where its bias is added."""

_CONSTANT: Final[dict[str, Callable[[list[Array]], Array]]] = {
    "Add": lambda given: given[0] + given[1],
    "Subtract": lambda given: given[0] - given[1],
    "Multiply": lambda given: given[0] * given[1],
    "Divide": lambda given: given[0] / given[1],
    "Convert": lambda given: given[0],
    "Sqrt": lambda given: np.sqrt(given[0]),
}
"""How a stored weight becomes the number that is computed with."""

_SHAPED: Final = frozenset({"Broadcast", "Reshape"})
"""Constant when their first input is: what they are shaped to is known without any window."""

_LINEAR: Final = frozenset({"Add", "Subtract", "Multiply", "Divide"})


def encoders_of(repository: Path, *, seed: int) -> tuple[Checkpoint, Deviation]:
    """All four nets, the encoders with the repository's weights, and how far these are from what the float32 encoders
    said of the golden windows (pain 0..10).

    The fusion head is fresh from the seed and untrained, and so is the whole by its ``about``, which keeps what the
    repository tells of its making. ``ConfigurationError``: the folder holds no exported nets, nets that are untrained,
    or an IR that this version does not know its way in.
    """
    model = read_model(repository)
    if model.version.weights is Weights.UNTRAINED:
        raise ConfigurationError(f"the nets of {repository} are untrained: there is nothing to begin with")
    golden = read_golden(repository)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        networks = Networks(model.config).eval()
        for net in ENCODERS:
            path = repository / net.name / "1" / IR_FILE
            try:
                _fill(getattr(networks, net.name), _Graph(path))
            except (LookupError, RuntimeError, ValueError) as error:
                raise ConfigurationError(
                    f"{path} cannot be read back ({error}): give a repository that 'neopain model export' of this"
                    " version has written"
                ) from error
        reached = _settled(networks, golden)
    if not within(reached, TOLERANCE):
        raise ConfigurationError(
            f"the encoders of {repository} do not say of its golden windows what they should (off by"
            f" {reached.mean:.2f}, p99 {reached.p99:.2f}, of 10): its files do not belong together, export again"
        )
    about = {
        "weights": Weights.UNTRAINED.value,
        "seed": seed,
        "code_version": __version__,
        "encoders": {
            "model": model.version.name,
            "digest": model.digest,
            "weights": model.version.weights.value,
            "about": {name: value for name, value in model.about.items() if name not in {"config", "figures"}},
        },
    }
    return Checkpoint(model.config, networks.state_dict(), about), reached


@dataclass(frozen=True, slots=True)
class _Affine:
    """``scale * x + shift`` of what ``source`` gives, by channel."""

    source: Any
    scale: Array
    shift: Array


class _Graph:
    """An IR: its nodes by name, in the order of the computation."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            raise ConfigurationError(f"{path} is missing: give a folder that `neopain model export` has written")
        # The model is kept: its nodes do not keep it alive.
        self._model: openvino.Model = openvino_core().read_model(path)
        self._nodes = {node.get_friendly_name(): node for node in self._model.get_ordered_ops()}

    def node(self, name: str) -> Any:
        """``LookupError`` when there is none of that name."""
        if name not in self._nodes:
            raise LookupError(f"it has no node {name}")
        return self._nodes[name]

    def affine(self, module: str) -> _Affine:
        """What a module does to its input channel by channel, up to the first operation that does more.

        Of a convolution with its batch norm, or a linear layer with its bias, that is what was folded into one sum.
        """
        names = [f"__module.{module}/{end}" for end in _SUMS if f"__module.{module}/{end}" in self._nodes]
        if len(names) != 1:
            raise LookupError(f"it has {len(names)} sums of the module {module}, expected one")
        at, steps = self.node(names[0]), []
        while (found := _constant_of(at)) is not None:
            steps.append((at.get_type_name(), found))
            at = at.input_value(0).get_node()
        if at.get_type_name() in _LINEAR:
            raise LookupError(f"{at.get_friendly_name()}, before the module {module}, joins what is not constant")
        scale, shift = np.ones(1), np.zeros(1)
        for kind, constant in reversed(steps):
            shift = _CONSTANT[kind]([shift, constant])
            if kind in {"Multiply", "Divide"}:
                scale = _CONSTANT[kind]([scale, constant])
        return _Affine(at, scale, shift)


def _constant_of(node: Any) -> Array | None:
    """The constant that a channelwise operation joins with its first input; None when it is something else.

    The axis of time or place that channels are repeated over has the length 1, and is left out.
    """
    if node.get_type_name() not in _LINEAR or not _is_constant(node.input_value(1).get_node()):
        return None
    return _value(node.input_value(1).get_node()).reshape(-1)


def _is_constant(node: Any) -> bool:
    kind = node.get_type_name()
    return kind == "Constant" or (kind in _CONSTANT.keys() | _SHAPED and all(_is_constant(one) for one in _given(node)))


def _given(node: Any) -> list[Any]:
    """The nodes whose values it needs."""
    count = 1 if node.get_type_name() in _SHAPED else node.get_input_size()
    return [node.input_value(place).get_node() for place in range(count)]


def _value(node: Any) -> Array:
    kind = node.get_type_name()
    if kind == "Constant":
        return np.asarray(node.data, np.float64)
    given = [_value(one) for one in _given(node)]
    if kind in _SHAPED:
        shape = tuple(node.get_output_shape(0))
        return given[0].reshape(shape) if kind == "Reshape" else np.broadcast_to(given[0], shape)
    return _CONSTANT[kind](given)


def _weights(node: Any) -> Array:
    """The second input of a convolution or a matrix product, which is constant, with its outputs on the first axis."""
    inner = node.input_value(1).get_node()
    if node.get_type_name() not in {"Convolution", "MatMul"} or not _is_constant(inner):
        raise LookupError(f"{node.get_friendly_name()} is no layer with constant weights")
    found = _value(inner)
    return found if node.get_attributes().get("transpose_b", True) else found.T


def _fill(encoder: nn.Module, graph: _Graph) -> None:
    """Every layer that has something to learn, from the IR."""
    for names, layers in _layers(encoder):
        layer, last = layers[0], layers[-1]
        if isinstance(layer, Convolution) and last is layer and layer.bias is None:
            _set(layer.weight, _weights(graph.node(f"__module.{names[0]}/aten::_convolution/Convolution")))
            continue
        found = graph.affine(names[-1])
        if isinstance(layer, Convolution | nn.Linear):
            per_output = found.scale.reshape(-1, *[1] * (layer.weight.dim() - 1))
            _set(layer.weight, per_output * _weights(found.source))
        if isinstance(last, BatchNorm) and last is layer:
            _set(last.running_mean, -found.shift / found.scale)
            _set(last.running_var, 1 / found.scale**2 - last.eps)
        elif isinstance(last, BatchNorm):
            _set(last.running_mean, np.zeros(1))
            _set(last.running_var, np.full(1, 1 - last.eps))
            _set(last.weight, np.ones(1))
            _set(last.bias, found.shift)
        elif isinstance(last, nn.LayerNorm):
            _set(last.weight, found.scale)
            _set(last.bias, found.shift)
        elif isinstance(last, Convolution | nn.Linear):
            _set(last.bias, found.shift)
        else:
            raise LookupError(f"{names[-1]} is a layer of a kind that is not known here")


def _layers(encoder: nn.Module) -> Iterator[tuple[list[str], list[nn.Module]]]:
    """Names and layers with something to learn or to measure; a convolution together with the norm behind it."""
    waiting: list[tuple[str, nn.Module]] = []
    for name, module in encoder.named_modules():
        if next(module.children(), None) is not None or not list(module.state_dict()):
            continue
        joins = waiting and isinstance(module, BatchNorm) and module.affine
        if waiting and not joins:
            yield [one for one, _ in waiting], [one for _, one in waiting]
            waiting = []
        waiting.append((name, module))
        if not isinstance(module, Convolution):
            yield [one for one, _ in waiting], [one for _, one in waiting]
            waiting = []
    if waiting:
        yield [one for one, _ in waiting], [one for _, one in waiting]


def _set(tensor: Tensor | None, values: Array) -> None:
    """``ValueError`` when there are not as many as the tensor holds, or there is no tensor."""
    if tensor is None:
        raise ValueError("a layer has no such tensor")
    if values.size == 1:
        values = np.broadcast_to(values, tensor.shape)
    if values.size != tensor.numel():
        raise ValueError(f"a tensor of {list(tensor.shape)} would get {list(values.shape)}")
    tensor.copy_(torch.from_numpy(np.array(values.reshape(tensor.shape))))


def _inputs(golden: Sequence[GoldenWindow]) -> Iterator[tuple[str, Tensor, Array]]:
    """For each encoder and each golden window that has what it reads: its name, its input, and the score expected."""
    for window in golden:
        for net in ENCODERS:
            if net.gate is not None and window.inputs[signature.PRESENT.name][0, net.gate]:
                given = torch.from_numpy(np.ascontiguousarray(window.inputs[net.inputs[0].name]))
                yield net.name, given, window.expected[signature.SCORE_BY_MODALITY.name][0, net.gate]


def _settled(networks: Networks, golden: Sequence[GoldenWindow]) -> Deviation:
    """Each batch norm gets the statistics of what the golden windows bring to it, and says the same as before.

    Returns how far the encoders' own scores of these windows are from those expected.
    """
    seen: dict[nn.Module, list[tuple[Tensor, Tensor]]] = {}

    def see(norm: nn.Module, given: tuple[Tensor, ...]) -> None:
        axes = [axis for axis in range(given[0].dim()) if axis != 1]
        values = given[0].double()
        seen.setdefault(norm, []).append((values.mean(dim=axes), values.square().mean(dim=axes)))

    norms = [one for one in networks.modules() if isinstance(one, BatchNorm) and one.affine]
    watching = [norm.register_forward_pre_hook(see) for norm in norms]
    differences = [
        abs(float(getattr(networks, name)(given)[1]) - float(expected)) for name, given, expected in _inputs(golden)
    ]
    for watched in watching:
        watched.remove()
    if len(seen) < len(norms):
        raise ConfigurationError("its golden windows lack one that has face, cry and vitals: export again")
    for norm in norms:
        means, squares = (torch.stack(each).mean(dim=0) for each in zip(*seen[norm], strict=True))
        spread = (squares - means.square()).clamp_min(0)
        _set(norm.running_mean, means.numpy())
        _set(norm.running_var, spread.numpy())
        norm.weight.copy_((spread + norm.eps).sqrt())
        norm.bias.add_(means)
    return Deviation(mean=float(np.mean(differences)), p99=float(np.percentile(differences, 99)))
