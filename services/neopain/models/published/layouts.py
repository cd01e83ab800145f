"""Published layouts as tables: what each calls the tensors of our backbones, and what it holds beside them.

Every layout of a net has the same tensors in the same shapes, so a layout is only names. Channels of the first video
convolution are red, green, blue in all of them, as in our CLIP: nothing is swapped.

Sources: SlowFast ``video_model_builder.py``, ``stem_helper.py``, ``resnet_helper.py`` and ``c2_model_loading.py``
(commit 287ec00); pytorchvideo ``models/resnet.py`` and ``models/stem.py`` (f3142bb); torchvggish ``vggish.py``
(f3f9096); torchaudio 2.8 ``prototype/pipelines/_vggish``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum


class Backbone(Enum):
    """The parts of our nets for which weights are published, by the option that takes them."""

    VIDEO = "video"
    AUDIO = "audio"


Rows = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """One way of naming the tensors of a backbone."""

    name: str
    backbone: Backbone
    rows: Rows
    """Regular expression in our name, what replaces it in theirs; all rows are applied, in order."""
    beside: tuple[str, ...]
    """Whole names, as regular expressions, that the files hold beside the backbone: known and unused."""

    def published(self, ours: str) -> str:
        """Its name of one of our tensors."""
        for pattern, replacement in self.rows:
            ours = re.sub(pattern, replacement, ours)
        return ours

    def is_beside(self, theirs: str) -> bool:
        """Whether the files are known to hold this tensor and we have no use for it."""
        return any(re.fullmatch(pattern, theirs) for pattern in self.beside)


COUNTERS = r".+\.num_batches_tracked"
"""Of batch norms with a momentum, they change nothing."""

LAYOUTS = (
    Layout(
        "pytorchvideo I3D-R50",
        Backbone.VIDEO,
        (
            (r"^stem_conv", "blocks.0.conv"),
            (r"^stem_norm", "blocks.0.norm"),
            (r"^res2\.(\d+)", r"blocks.1.res_blocks.\1"),
            (r"^res([345])\.(\d+)", r"blocks.\1.res_blocks.\2"),  # blocks.2 is the pool
            (r"(conv|norm)_([abc])", r"branch2.\1_\2"),
            (r"shortcut\.0", "branch1_conv"),
            (r"shortcut\.1", "branch1_norm"),
        ),
        (COUNTERS, r"blocks\.6\.proj\.(weight|bias)"),
    ),
    Layout(
        "PySlowFast I3D-R50",
        Backbone.VIDEO,
        (
            (r"^stem_conv", "s1.pathway0_stem.conv"),
            (r"^stem_norm", "s1.pathway0_stem.bn"),
            (r"^res(\d)\.(\d+)", r"s\1.pathway0_res\2"),
            (r"conv_([abc])", r"branch2.\1"),
            (r"norm_([abc])", r"branch2.\1_bn"),
            (r"shortcut\.0", "branch1"),
            (r"shortcut\.1", "branch1_bn"),
        ),
        (COUNTERS, r"head\.projection\.(weight|bias)"),
    ),
    Layout(
        "PySlowFast I3D-R50 (Caffe2)",
        Backbone.VIDEO,
        (
            (r"^stem_conv\.weight", "conv1_w"),
            (r"^stem_norm", "res_conv1_bn"),
            (r"^res(\d)\.(\d+)\.", r"res\1_\2_"),
            (r"conv_([abc])\.weight", r"branch2\1_w"),
            (r"norm_([abc])", r"branch2\1_bn"),
            (r"shortcut\.0\.weight", "branch1_w"),
            (r"shortcut\.1", "branch1_bn"),
            (r"\.weight$", "_s"),
            (r"\.bias$", "_b"),
            (r"\.running_mean$", "_rm"),
            (r"\.running_var$", "_riv"),  # the variance itself, not its inverse
        ),
        (r"pred_[wb]", r".+_momentum", "lr", "model_iter"),
    ),
    Layout(
        "torchvggish",
        Backbone.AUDIO,
        ((r"^convolutions", "features"), (r"^embedding", "embeddings")),
        (r"embeddings\.[024]\.(weight|bias)",),
    ),
    Layout(
        "torchaudio VGGish",
        Backbone.AUDIO,
        ((r"^convolutions", "features_network"), (r"^embedding", "embedding_network")),
        (r"embedding_network\.[024]\.(weight|bias)",),
    ),
)


def recognise(found: Collection[str], backbones: Mapping[Backbone, Collection[str]]) -> Layout | None:
    """The layout that shares most names with those found, given our names of each backbone; None: no name is known."""
    shared = {
        layout: len({layout.published(ours) for ours in backbones[layout.backbone]}.intersection(found))
        for layout in LAYOUTS
    }
    best = max(shared, key=lambda layout: shared[layout])
    return best if shared[best] else None
