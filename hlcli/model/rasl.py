"""Scores videos with a trained RASL network: picture alone, sound alone, or both.

Latents of a long video are encoded in windows and joined; the activation's means then run over
the whole video. Reconstructed from the paper's abstract.

Axes: T clips, V feature size, N windows, W clips of a window, D model width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from hlcli.features.types import FloatArray, RowArray, VideoFeatures
from hlcli.model.calibration import Statistics
from hlcli.model.config import PICTURE_TERMS, READOUTS, SOUND_TERMS, FusionConfig, RaslConfig
from hlcli.model.detector import SIDES, RaslNetwork, Side
from hlcli.model.fusion import FusedScorer, side_of
from hlcli.model.projection import LinearMap, ProjectionPair, scale_features
from hlcli.model.readouts import read_out
from hlcli.model.relational import relational_features
from hlcli.model.subspace import closed_form_terms, quieten_empty
from hlcli.model.windows import encode_in_windows


class RaslScorer(FusedScorer):
    """Scores by the network's representation activations, fused with what the weights name.

    Raw activations are ratios to the video's mean activation: a video in which nothing stands out
    has no high one. With the "absolute" fusion, picture and sound are each standardised by corpus
    constants before they are added, so that sums compare between videos too.

    Args:
        network: The trained network; switched to evaluation mode and moved to `device`.
        spec_digest: Digest of the feature specification it was trained on.
        statistics: Corpus statistics; empty until `calibrate` was called.
        device: Where to run the network, as torch names it.
    """

    kind = "rasl"

    def __init__(
        self,
        network: RaslNetwork,
        *,
        spec_digest: str,
        statistics: Statistics | None = None,
        device: str | torch.device = "cpu",
        fusion: FusionConfig | None = None,
    ) -> None:
        super().__init__(
            spec_digest=spec_digest,
            fusion=fusion or network.config.fusion,
            statistics=statistics or Statistics(),
        )
        self.network = network.eval().to(device)
        self.device = device

    @property
    def config(self) -> RaslConfig:
        """The network's settings."""
        return self.network.config

    def available_terms(self) -> tuple[str, ...]:
        """See `FusedScorer.available_terms`."""
        closed = self.config.input_projection != "none"
        skip = {"picture_background"}
        if not closed:
            skip |= {f"{s}_{r}" for s in ("picture", "sound") for r in READOUTS}
        return tuple(name for name in (*PICTURE_TERMS, *SOUND_TERMS) if name not in skip)

    def compute_terms(self, features: VideoFeatures, names: Iterable[str]) -> dict[str, FloatArray]:
        """See `FusedScorer.compute_terms`."""
        wanted = list(names)
        learned = [n for n in wanted if n.endswith("_rasl") or "_z_" in n]
        closed = [n for n in wanted if n not in learned]
        terms: dict[str, FloatArray] = {}
        fraction = self.config.nearest_fraction
        if closed:
            pair = self._projections()
            terms |= closed_form_terms(
                features,
                closed,
                pair,
                nearest_fraction=fraction,
                emptiness_power=self.config.emptiness_power,
            )
        latents: dict[Side, FloatArray] = {}
        for name in sorted(learned, key=side_of):
            side: Side = "visual" if side_of(name) == "picture" else "audio"
            if name.endswith("_rasl") and not self.network.activates_latents:
                terms[name] = self._measured_elsewhere(features, side)
                continue
            if side not in latents:
                latents.clear()  # one side at a time is enough to hold
                latents[side] = self.latents(features, side)
            if name.endswith("_rasl"):
                terms[name] = self._activations(latents[side])
            else:
                embedding = self._embeddings(side, latents[side])
                readout = name.rsplit("_", 1)[1]
                terms[name] = read_out(readout, embedding, nearest_fraction=fraction)
        return terms

    def latents(self, features: VideoFeatures, side: Side) -> FloatArray:
        """Latents of the whole video from one modality, float32, shape `(T, D)`."""

        def encode(inputs: Tensor, mask: Tensor, offset: Tensor) -> Tensor:
            return self.network.encode(side, inputs, mask, offset_B=offset)

        return self._in_windows(features, side, encode)

    def _measured_elsewhere(self, features: VideoFeatures, side: Side) -> FloatArray:
        """Activations that are not measured on latents, over the whole video, `(T,)`."""
        if self.config.activation == "standing":
            return self._relational_activations(features, side)
        return self._compared(self._prediction_errors(features, side))

    @torch.inference_mode()
    def _relational_activations(self, features: VideoFeatures, side: Side) -> FloatArray:
        """How clips stand is measured over the whole video; only the head goes by windows."""
        signal_T = features.motion_T if side == "visual" else features.loudness_T
        inputs = torch.from_numpy(self._prepared(features, side))[None].to(self.device)
        mask = torch.ones(inputs.shape[:2], dtype=torch.bool, device=self.device)
        row_1TS = relational_features(inputs, mask, num_quantiles=self.config.standing_quantiles)
        signal = None
        if signal_T is not None:
            signal = torch.from_numpy(np.ascontiguousarray(signal_T, np.float32))[None]
            signal = signal.to(self.device)
        signal_1T = self.network.measured_signal(side, signal, mask)
        rows_TS = torch.cat([row_1TS, signal_1T[..., None]], dim=-1)[0].cpu().numpy()

        def activate(windows_NWS: RowArray, starts_N: npt.NDArray[np.int64]) -> FloatArray:
            rows = torch.from_numpy(np.ascontiguousarray(windows_NWS)).to(self.device)
            valid = torch.ones(rows.shape[:2], dtype=torch.bool, device=self.device)
            each = self.network.standing(rows[..., :-1], rows[..., -1], valid)
            made: FloatArray = each.mean(-1, keepdim=True).float().cpu().numpy()
            return made

        return encode_in_windows(rows_TS, activate, window_clips=self.config.window_clips)[:, 0]

    def _prediction_errors(self, features: VideoFeatures, side: Side) -> FloatArray:
        """Errors of predicting each clip from the rest, faded between windows, `(T,)`."""
        # One run for the whole video: windows deal its clips to the same groups.
        run_1 = self.network.hidden_run(torch.tensor([features.num_clips]))

        def errors(inputs: Tensor, mask: Tensor, offset: Tensor) -> Tensor:
            found = self.network.prediction_errors(
                side, inputs, mask, offset_B=offset, run_B=run_1.to(self.device)
            )
            return found[..., None]

        return self._in_windows(features, side, errors)[:, 0]

    def _prepared(self, features: VideoFeatures, side: Side) -> FloatArray:
        """What `Branch.prepare` makes of the whole video, without holding it on the device."""
        rows = features.visual_TV if side == "visual" else features.audio_TA
        assert rows is not None
        pair = self._projections()
        if pair is None:
            x_TI: FloatArray = scale_features(rows.astype(np.float32, copy=False))
        else:
            x_TI = pair.visual(rows) if side == "visual" else pair.audio(rows)
        if side == "visual" and self.config.emptiness_power:
            x_TI = quieten_empty(x_TI, rows, power=self.config.emptiness_power)
        return x_TI

    def _in_windows(
        self, features: VideoFeatures, side: Side, call: Callable[..., Tensor]
    ) -> FloatArray:
        """Call with the prepared inputs, mask and offset of some windows; join what it returns."""
        rows = features.visual_TV if side == "visual" else features.audio_TA
        # A window says nothing of how much there usually is to see in the video.
        is_prepared = side == "visual" and self.config.emptiness_power > 0
        if is_prepared:
            rows = self._prepared(features, side)
        assert rows is not None

        @torch.inference_mode()
        def encode(windows_NWV: RowArray, starts_N: npt.NDArray[np.int64]) -> FloatArray:
            windows = torch.from_numpy(np.ascontiguousarray(windows_NWV, np.float32))
            windows = windows.to(self.device)
            mask = torch.ones(windows.shape[:2], dtype=torch.bool, device=self.device)
            if not is_prepared:
                windows = self.network.branch(side).prepare(windows, mask)
            made = call(windows, mask, torch.from_numpy(starts_N).to(self.device))
            encoded: FloatArray = made.float().cpu().numpy()
            return encoded

        return encode_in_windows(rows, encode, window_clips=self.config.window_clips)

    @torch.inference_mode()
    def _activations(self, latent_TD: FloatArray) -> FloatArray:
        latent = torch.from_numpy(latent_TD)[None].to(self.device)
        mask = torch.ones(latent.shape[:2], dtype=torch.bool, device=self.device)
        logits: FloatArray = self.network.rasl(latent, mask)[0].float().cpu().numpy()
        return logits

    @torch.inference_mode()
    def _compared(self, error_T: FloatArray) -> FloatArray:
        error = torch.from_numpy(error_T)[None].to(self.device)
        mask = torch.ones(error.shape, dtype=torch.bool, device=self.device)
        logits: FloatArray = self.network.rasl.compare(error, mask)[0].float().cpu().numpy()
        return logits

    @torch.inference_mode()
    def _embeddings(self, side: Side, latent_TD: FloatArray) -> FloatArray:
        latent = torch.from_numpy(latent_TD).to(self.device)
        embedding: FloatArray = self.network.embed(side, latent).float().cpu().numpy()
        return embedding

    def _projections(self) -> ProjectionPair | None:
        if self.config.input_projection == "none":
            return None
        maps = []
        for side in SIDES:
            branch = self.network.branch(side)
            # The network's weight is divided by the corpus's rms already.
            maps.append(
                LinearMap(
                    mean_V=branch.input_mean.cpu().numpy(),
                    weight_VD=branch.input_weight.cpu().numpy(),
                    rms=1.0,
                )
            )
        return ProjectionPair(visual=maps[0], audio=maps[1])


def install_projections(network: RaslNetwork, projections: ProjectionPair) -> None:
    """Write fitted maps into the network's buffers, scaled so that inputs have size 1."""
    with torch.no_grad():
        for side, one in (("visual", projections.visual), ("audio", projections.audio)):
            branch = network.branch("visual" if side == "visual" else "audio")
            branch.input_mean.copy_(torch.from_numpy(one.mean_V))
            branch.input_weight.copy_(torch.from_numpy(one.weight_VD / np.float32(one.rms)))
