"""STARRED as a restorer, to stand beside pellucid's: ``pip install starred-astro``.

STARRED (Michalewicz et al. 2023, JOSS 8, 5340, doi:10.21105/joss.05340; Millon et al. 2024, AJ 168,
55, doi:10.3847/1538-3881/ad4da7) fits pixels with starlet regularisation, at a resolution of two
pixels. It is given the true kernel, as its users would give it a PSF, and its galaxies no point
sources.
"""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass

import numpy as np

from pellucid import SkyImage
from pellucid.optics import convolve
from pellucid.restoration import Restoration
from pellucid.sky import PSF, background_of, gaussian_psf

#: FWHM in pixels of what STARRED restores to, by its own convention.
ITS_OWN = 2.0


@dataclass(frozen=True)
class Starred:
    """Its pipeline with the settings of its examples, brought to the common target.

    Parameters
    ----------
    target
        FWHM in pixels of what the others restore to, at least `ITS_OWN`.
    steps, rate
        Of its optimiser.
    scales, finest
        How strongly the starlet's scales are held down, and the finest of them, in units of noise.
    """

    target: float
    steps: int = 400
    rate: float = 5e-3
    scales: float = 1.0
    finest: float = 1.0
    name: str = "starred"

    def __call__(
        self,
        image: SkyImage,
        blur: PSF | float | None = None,
        psf: PSF | float | None = None,
        target: PSF | float | None = None,
    ) -> Restoration:
        """Restore each band of ``image`` on its own grid; without a blur, undo all of its psf."""
        blur = image.psf if blur is None else blur
        assert isinstance(blur, PSF)
        broadening = gaussian_psf(max(np.sqrt(self.target**2 - ITS_OWN**2), 0.1), 1.0)
        width = broadening.stamps.shape[1]
        stamps = blur.for_bands(len(image.flux))
        planes = []
        for band, (plane, stamp) in enumerate(zip(image.flux, stamps, strict=True)):
            sky = background_of(image.of_bands([band]))
            side = stamp.shape[0] + width - 1
            wide = np.zeros((1, side, side), dtype=np.float32)
            start = width // 2
            wide[0, start : start + stamp.shape[0], start : start + stamp.shape[1]] = stamp
            narrow = convolve(wide, broadening.stamps, "zero")[0]
            found = self._fitted((plane - sky.sky[0]) / sky.sigma, narrow)
            planes.append(found * sky.sigma + sky.sky[0])
        restored = convolve(np.stack(planes), broadening.for_bands(len(planes)), "reflect")
        return Restoration(image.with_flux(restored))

    def _fitted(self, plane: np.ndarray, kernel: np.ndarray) -> np.ndarray:
        """One band in units of its noise, at a resolution of `ITS_OWN` pixels."""
        from starred.deconvolution.deconvolution import setup_model
        from starred.deconvolution.loss import Loss
        from starred.deconvolution.parameters import ParametersDeconv
        from starred.optim.optimization import Optimizer
        from starred.utils.noise_utils import propagate_noise

        side = min(plane.shape) // 2 * 2
        data = np.asarray(plane[None, :side, :side], dtype=np.float64)
        scale = float(data.max())
        data /= scale
        variance = np.full_like(data, scale**-2)
        with contextlib.redirect_stdout(io.StringIO()):
            model, initial, up, down, fixed = setup_model(
                data, variance, kernel[None] / kernel.sum(), [], [], 1, []
            )
            weights = propagate_noise(
                model,
                np.sqrt(variance),
                initial,
                wavelet_type_list=["starlet"],
                method="MC",
                num_samples=100,
                seed=1,
                likelihood_type="chi2",
                upsampling_factor=1,
            )[0]
            parameters = ParametersDeconv(initial, fixed, kwargs_up=up, kwargs_down=down)
            loss = Loss(
                data,
                model,
                parameters,
                variance,
                regularization_terms="l1_starlet",
                regularization_strength_scales=self.scales,
                regularization_strength_hf=self.finest,
                regularization_strength_positivity=100.0,
                W=weights,
            )
            optimiser = Optimizer(loss, parameters, method="adabelief")
            optimiser.minimize(
                max_iterations=self.steps, init_learning_rate=self.rate, progress_bar=False
            )
            found = parameters.best_fit_values(as_kwargs=True)
            light = model.getDeconvolved(found, 0)[0] + found["kwargs_background"]["mean"][0]
        whole = np.zeros_like(plane)
        whole[:side, :side] = np.asarray(light) * scale
        return whole
