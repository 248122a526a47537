"""Several skies that explain one image, beside their mean."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pellucid.errors import UsageError
from pellucid.restoration.bandwise import BandwiseRestorer
from pellucid.restoration.result import Restoration, Restorer
from pellucid.sky import PSF, SkyImage


@dataclass(frozen=True)
class SamplingRestorer:
    """A restorer of the mean, and a sampler that draws ``count`` skies about it."""

    mean: Restorer
    sampler: BandwiseRestorer
    count: int

    @property
    def name(self) -> str:
        return self.mean.name

    def __call__(
        self,
        image: SkyImage,
        blur: PSF | float | None = None,
        psf: PSF | float | None = None,
        target: PSF | float | None = None,
    ) -> Restoration:
        """Restore ``image``; see `Restorer`. The same image gets the same samples.

        Raises
        ------
        UsageError
            When the model that fits the image has one answer.
        """
        result = self.mean(image, blur, psf, target)
        if result.uncertainty is None:
            raise UsageError(
                f"--samples {self.count}: model {result.provenance.get('model')} has one answer; "
                "pellucid's own model draws samples"
            )
        drawn = [
            replace(self.sampler, seed=seed)(image, blur, psf, target).image.flux
            for seed in range(self.count)
        ]
        told = f"samples drawn by {self.sampler.name}, sha256 {self.sampler.sha256}"
        provenance = {**result.provenance, "samples": told}
        return replace(result, samples=np.stack(drawn), provenance=provenance)
