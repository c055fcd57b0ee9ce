"""The model: `encode` once per image, `query` for any pixels of it, `dense` for a whole map.

Exports answer without this module (`spd.runtimes.export_predictor`).
"""

import warnings
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from spd.config import ModelConfig
from spd.errors import InputError, PointError, shown
from spd.geometry import cell_centres, check_points, points_inside, resize_bilinear
from spd.memory import in_parts, memory_for
from spd.models.decoder.global_dpt import GlobalPath
from spd.models.decoder.local_paths import build_local_path
from spd.models.default_dtype import float32_by_default
from spd.models.encoder_vits.pyramid_neck import PyramidNeck
from spd.models.encoder_vits.vit_s import Encoder
from spd.models.feature_maps import FeatureMaps
from spd.pixels import Size, check_image_size, check_outside

Form = Literal["compiled", "torch"]
"""How an answer is computed: by the compiled kernel or by torch operations."""
# Points answered together: about 12 MB in float32 whatever K is. With twice as many, the allocator
# returns the memory to the system after each call, and the next call page-faults it in again.
QUERY_CHUNK = 512


class SPD(nn.Module):
    """Sparse query-point depth (specification v15.2).

        image -> encoder -> neck -> L1, L2, L3, L4
        L3, L4 -> global path -> stride-8 map
        stride-8 map, L2, L1 + a point -> local path -> metres

    The constructor gives random float32 weights and never downloads; `spd.checkpoints.checkpoint`
    loads trained ones.
    """

    @float32_by_default()
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config.encoder)
        self.neck = PyramidNeck(config)
        self.global_path = GlobalPath(config.dim)
        self.local_path = build_local_path(config)

    def encode(self, images: Float[Tensor, "b 3 h w"]) -> FeatureMaps:
        """Compute the feature maps that all queries of these images read.

        Args:
            images: RGB in 0..1, in the model's dtype; height and width are multiples of 14 and at
                least 28.

        Raises:
            InputError: on another shape, dtype or size; it names the nearest valid sizes.
        """
        self._check_images(images)
        size: Size = (images.shape[-2], images.shape[-1])
        l1, l2, l3, l4 = self.neck(self.encoder(images))
        stride_8_map = self.global_path(l3, l4, (l2.shape[-2], l2.shape[-1]))
        return FeatureMaps(stride_8_map, l2, l1, size).cells_together()

    def query(
        self,
        maps: FeatureMaps,
        points: Float[Tensor, "b k 2"],
        *,
        outside: Literal["raise", "nan"] = "raise",
        form: Form | None = None,
    ) -> Float[Tensor, "b k"]:
        """Depth in metres at K points of each image; K may be 0.

        Args:
            maps: the result of `encode`.
            points: `(u, v)` = (column, row) in pixels of the encoded image; integers are pixel
                centres, fractions are allowed, valid from -0.5 to W - 0.5 and H - 0.5.
            outside: `"nan"` returns NaN at points that are not finite or outside the image.
                `"raise"` reads the points' extremes back, so on a GPU it waits for all earlier
                work; `"nan"` reads nothing back.
            form: `"compiled"` or `"torch"`; by default `"compiled"` if there is a kernel.

        Raises:
            PointError: on another shape of `points`, or naming the first bad point.
            InputError: on an unknown `form`, or on `"compiled"` without a kernel.
            OutOfMemoryError: if memory does not suffice for one point at a time.
        """
        if not isinstance(points, Tensor):
            raise PointError(f"points must be a tensor [B, K, 2], got {shown(points)}")
        if points.ndim != 3 or points.shape[0] != maps.batch_size or points.shape[2] != 2:
            raise PointError(
                f"points must be [{maps.batch_size}, K, 2] for {maps.batch_size} encoded image(s), "
                f"got {tuple(points.shape)}"
            )
        if not points.is_floating_point() or points.device != maps.l1.device:
            raise PointError(
                f"points must be of a floating-point dtype and on {maps.l1.device}, as the maps "
                f"are, got {points.dtype} on {points.device}"
            )
        check_outside(outside)
        if points.dtype.itemsize < 4:  # half precision would move points by up to two pixels
            points = points.float()
        compiled = self._is_compiled(maps, form)
        if outside == "raise":
            check_points(points, maps.image_size)
            return self._query_inside(maps, points, compiled)
        inside = points_inside(points, maps.image_size)
        depth_m = self._query_inside(maps, points.where(inside[..., None], 0), compiled)
        return depth_m.where(inside, torch.nan)

    def dense(self, maps: FeatureMaps, *, form: Form | None = None) -> Float[Tensor, "b 1 hl wl"]:
        """Depth in metres on the local path's own grid (v15.2: L1's cells, 4h x 4w).

        Args:
            maps: the result of `encode`.
            form: `"compiled"` queries every cell centre, `"torch"` computes the grid as a whole;
                by default `"compiled"` if there is a kernel.

        Raises:
            InputError: on an unknown `form`, or on `"compiled"` without a kernel.
        """
        if not self._is_compiled(maps, form):
            return self.local_path.dense(maps)
        rows, columns = maps.l1.shape[-2:]
        points = cell_centres((rows, columns), maps.image_size, like=maps.l1)
        points = points.expand(maps.batch_size, -1, -1)
        return self._query_inside(maps, points, compiled=True).view(
            maps.batch_size, 1, rows, columns
        )

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 1 h w"]:
        """Depth in metres at every pixel: `dense`, resized bilinearly to the image's size."""
        maps = self.encode(images)
        return resize_bilinear(self.dense(maps), maps.image_size)

    def checkpoint_encoder(self) -> None:
        """Save memory: recompute the encoder's activations in every later backward pass."""
        with warnings.catch_warnings():
            # transformers renames this method within version 5; not every version has the new name.
            warnings.simplefilter("ignore", FutureWarning)
            self.encoder.backbone.gradient_checkpointing_enable(
                gradient_checkpointing_kwargs={"use_reentrant": False}
            )

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the weights, in which images must be given."""
        return next(self.parameters()).dtype

    def _is_compiled(self, maps: FeatureMaps, form: Form | None) -> bool:
        """Whether the compiled kernel answers."""
        if form not in (None, "compiled", "torch"):
            raise InputError(f"form must be 'compiled', 'torch' or omitted, got {form!r}")
        if form == "torch":
            return False
        reason = self.local_path.no_kernel(maps)
        if form == "compiled" and reason is not None:
            raise InputError(f"form='compiled' is not available: {reason}; omit form")
        return reason is None

    def _query_inside(self, maps: FeatureMaps, points: Tensor, compiled: bool) -> Tensor:
        if compiled:  # the kernel works in blocks of its own, which take no memory
            with memory_for(f"querying {points.shape[1]} point(s)", "free some, or query fewer"):
                return self.local_path.query_compiled(maps, points)

        def ask(part: slice) -> Tensor:
            with memory_for("querying a point", "free some"):
                return self.local_path.query(maps, points[:, part])

        if torch.compiler.is_compiling():  # compiled code runs out of memory outside this function
            chunks = points.split(QUERY_CHUNK, dim=1)
            return torch.cat([self.local_path.query(maps, chunk) for chunk in chunks], dim=1)
        if torch.is_grad_enabled():
            return torch.cat(in_parts(ask, points.shape[1], QUERY_CHUNK), dim=1)
        # One array for all answers: small ones, kept between large blocks that are freed, would
        # fragment the heap (0.75 GB for a million points).
        depth_m = points.new_empty(points.shape[:2], dtype=self.dtype)

        def keep(part: slice) -> None:
            depth_m[:, part] = ask(part)

        in_parts(keep, points.shape[1], QUERY_CHUNK)
        return depth_m

    def _check_images(self, images: Tensor) -> None:
        if not isinstance(images, Tensor):
            raise InputError(f"images must be a tensor [B, 3, H, W], got {shown(images)}")
        if images.ndim != 4 or images.shape[1] != 3:
            raise InputError(f"images must be [B, 3, H, W] RGB, got {tuple(images.shape)}")
        device = next(self.parameters()).device
        if images.device != device:
            raise InputError(f"images must be on {device}, as the model is, got {images.device}")
        if images.dtype != self.dtype:
            raise InputError(
                f"images must be {self.dtype} (the weights' dtype) in 0..1, got {images.dtype}; "
                "convert with image.to(model.dtype), dividing 8-bit values by 255"
            )
        check_image_size((images.shape[-2], images.shape[-1]))
