"""The model: `encode` once per image, `query` once per pixel asked, `dense` for whole maps."""

import dataclasses
import warnings
from typing import Literal, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from spd.config import ModelConfig
from spd.errors import InputError, PointError
from spd.geometry import (
    Size,
    cell_centres,
    check_image_size,
    check_outside,
    check_points,
    points_inside,
    resize_bilinear,
)
from spd.memory import in_parts, memory_for
from spd.models.decoder.global_dpt import GlobalPath
from spd.models.decoder.local_attn import CrossAttentionPath
from spd.models.decoder.local_path import LocalPath
from spd.models.decoder.local_paths import build_local_path
from spd.models.decoder.query_plan import (
    DenseForm,
    QueryForm,
    QueryPlan,
    no_native,
    no_projection,
    plan_query,
)
from spd.models.encoder_vits.pyramid_neck import PyramidNeck
from spd.models.encoder_vits.vit_s import Encoder
from spd.models.feature_maps import FeatureMaps

# Queries read together: about 12 MB in float32, whatever K is; fewer where that is much.
# What twice as many take is given back to the system after each call, and faulted in anew.
QUERY_CHUNK = 512


class SPD(nn.Module):
    """Sparse query-point depth (specification v15.2).

        image -> encoder -> neck -> L1, L2, L3, L4
        L3, L4 -> global path -> stride-8 map
        stride-8 map, L2, L1 + a point -> local path -> metres

    Built with random weights, offline; `spd.export.hub.from_pretrained` loads trained ones.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config.encoder)
        self.neck = PyramidNeck(config)
        self.global_path = GlobalPath(config.dim)
        self.local_path = build_local_path(config)

    def encode(self, images: Float[Tensor, "b 3 h w"]) -> FeatureMaps:
        """Everything that is paid once per image.

        Args:
            images: RGB in 0..1, in the model's dtype; height and width multiples of 14, of at
                least two patches each.

        Raises:
            InputError: if shape, dtype or size is another; sizes come with the nearest valid ones.
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
        form: QueryForm | None = None,
    ) -> Float[Tensor, "b k"]:
        """Depth in metres at the points asked, any K including 0.

        Args:
            maps: what `encode` returned.
            points: `(u, v)` = (column, row) in pixels of the encoded image; integers are pixel
                centres, fractions are allowed, valid from -0.5 to W - 0.5 and H - 0.5.
            outside: `"nan"` answers NaN at points that are not finite or outside. `"raise"` has to
                read the points' extremes back, so on a GPU it waits for all that was asked of it
                before; `"nan"` reads nothing back.
            form: how the same depth is computed; by default what `query_plan` says.

        Raises:
            PointError: on another shape, or naming the first bad point.
            InputError: if maps were projected with weights that have changed since.
            OutOfMemoryError: if memory does not suffice for one point at a time.
        """
        if points.ndim != 3 or points.shape[0] != maps.batch_size:
            raise PointError(
                f"points must be [{maps.batch_size}, K, 2] for {maps.batch_size} encoded image(s), "
                f"got {tuple(points.shape)}"
            )
        check_outside(outside)
        plan = self.query_plan(maps, points.shape[1], form)
        maps = self._as_planned(maps, plan)
        if outside == "raise":
            check_points(points, maps.image_size)
            return self._query_inside(maps, points, plan.form)
        inside = points_inside(points, maps.image_size)
        depth_m = self._query_inside(maps, points.where(inside[..., None], 0), plan.form)
        return depth_m.where(inside, torch.nan)

    def project(self, maps: FeatureMaps) -> FeatureMaps:
        """The same maps with keys and values of every cell projected, for many questions to come.

        A query of them costs fewer multiply-adds and gives the same depth, but takes longer as
        plain torch operations (`spd.models.decoder.query_plan`), so no call does this unasked.

        Raises:
            InputError: if the local path has no keys and values.
        """
        if not self._local.projects:
            raise no_projection(self.config)
        return cast(CrossAttentionPath, self.local_path).project(maps)

    def query_plan(
        self, maps: FeatureMaps, points: int, form: QueryForm | None = None
    ) -> QueryPlan:
        """How `query` will answer so many points of each image, what that costs, and why."""
        return plan_query(
            self.config,
            maps,
            points,
            projects=self._local.projects,
            no_kernel=self._no_kernel(maps),
            form=form,
        )

    def _as_planned(self, maps: FeatureMaps, plan: QueryPlan) -> FeatureMaps:
        if plan.form != "projected":
            return maps if maps.projected is None else dataclasses.replace(maps, projected=None)
        return maps if maps.projected is not None else self.project(maps)

    def dense(
        self, maps: FeatureMaps, *, form: DenseForm | None = None
    ) -> Float[Tensor, "b 1 hl wl"]:
        """Depth in metres on the local path's own grid (v15.2: L1's cells, 4h x 4w).

        Args:
            maps: what `encode` returned.
            form: `native` asks the compiled query at every cell, `torch` computes the grid as a
                whole; by default the first where there is a kernel.

        Raises:
            InputError: if `native` is asked for where there is no kernel.
        """
        no_kernel = "asked for torch" if form == "torch" else self._no_kernel(maps)
        if form == "native" and no_kernel is not None:
            raise no_native(no_kernel)
        if no_kernel is not None:
            return self._local.dense(maps)
        rows, columns = maps.l1.shape[-2:]
        points = cell_centres((rows, columns), maps.image_size, like=maps.l1)
        depth_m = self._query_inside(maps, points.expand(maps.batch_size, -1, -1), "native")
        return depth_m.view(maps.batch_size, 1, rows, columns)

    def forward(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 1 h w"]:
        """Depth in metres at every pixel: `dense`, then bilinear to the image's size."""
        maps = self.encode(images)
        return resize_bilinear(self.dense(maps), maps.image_size)

    def checkpoint_encoder(self) -> None:
        """From now on recompute the encoder's activations in the backward pass, to save memory."""
        with warnings.catch_warnings():
            # transformers renames this within version 5; the new name is not in all of them.
            warnings.simplefilter("ignore", FutureWarning)
            self.encoder.backbone.gradient_checkpointing_enable(
                gradient_checkpointing_kwargs={"use_reentrant": False}
            )

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights, and so of the images."""
        return next(self.parameters()).dtype

    @property
    def _local(self) -> LocalPath:
        return cast(LocalPath, self.local_path)

    def _no_kernel(self, maps: FeatureMaps) -> str | None:
        if type(self.local_path) is not CrossAttentionPath:  # one made from it is another function
            return f"{type(self.local_path).__name__} has none"
        return self.local_path.no_kernel(maps)

    def _query_inside(self, maps: FeatureMaps, points: Tensor, form: QueryForm) -> Tensor:
        if form == "native":  # in blocks of its own, which take no memory
            with memory_for(f"the query of {points.shape[1]} point(s)", "free some, or ask fewer"):
                return cast(CrossAttentionPath, self.local_path).query_native(maps, points)

        def ask(part: slice) -> Tensor:
            with memory_for("the query of a point", "free some, or take another device"):
                return self._local.query(maps, points[:, part])

        if torch.compiler.is_compiling():  # what is compiled fails elsewhere than it is traced
            chunks = points.split(QUERY_CHUNK, dim=1)
            return torch.cat([self._local.query(maps, chunk) for chunk in chunks], dim=1)
        if torch.is_grad_enabled():
            return torch.cat(in_parts(ask, points.shape[1], QUERY_CHUNK), dim=1)
        # Small answers kept between large blocks that come and go would split the heap: of a
        # million points that was 0.75 GB.
        depth_m = points.new_empty(points.shape[:2], dtype=self.dtype)

        def keep(part: slice) -> None:
            depth_m[:, part] = ask(part)

        in_parts(keep, points.shape[1], QUERY_CHUNK)
        return depth_m

    def _check_images(self, images: Tensor) -> None:
        if images.ndim != 4 or images.shape[1] != 3:
            raise InputError(f"images must be [B, 3, H, W] RGB, got {tuple(images.shape)}")
        if images.dtype != self.dtype:
            raise InputError(
                f"images must be {self.dtype} in 0..1 like the weights, got {images.dtype}; "
                "convert with image.to(model.dtype), dividing 8-bit values by 255"
            )
        check_image_size((images.shape[-2], images.shape[-1]))
