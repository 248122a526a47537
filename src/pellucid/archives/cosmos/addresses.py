"""Where the COSMOS data stand: every address in one place, each of them open to correction."""

from __future__ import annotations

import re

from pydantic import BaseModel, ConfigDict, field_validator

#: What an address may be written as: by a wider format a few bytes would become any number of them.
_PATTERN = re.compile(r"(?:[^{}]|\{kind\}|\{tile(?::0?[0-9]?d)?\})+")


class Addresses(BaseModel):
    """The addresses of the archive; in ``acs`` and ``subaru``, {tile} is a tile's number.

    They are those of the NASA/IPAC Infrared Science Archive, which SeeingGAN took its images
    from. Its footnote names ``images/acs_2.0/``, where each of the 575 exposures lies as it was
    taken, rotated by 11°; ``images/acs_mosaic_2.0/`` holds the same drizzled data with North up,
    in tiles on the grid of Subaru's.

    References
    ----------
    Koekemoer et al. 2007, ApJS 172, 196, doi:10.1086/520086 (ACS)
    Taniguchi et al. 2007, ApJS 172, 9, doi:10.1086/516596 (Subaru)
    Laigle et al. 2016, ApJS 224, 24, doi:10.3847/0067-0049/224/2/24 (COSMOS2015)
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: F814W, 0.03 arcsec/pixel, counts/s; {kind} is sci, or wht for the weight (1/variance).
    #: https://irsa.ipac.caltech.edu/data/COSMOS/images/acs_2.0/ACS_INFO_2.0.txt
    acs: str = (
        "https://irsa.ipac.caltech.edu/data/COSMOS/images/acs_mosaic_2.0/tiles/"
        "acs_I_030mas_{tile:03d}_{kind}.fits.gz"
    )
    #: r+ as it was observed: under matched_psf/ it is blurred to the worst band's seeing.
    #: https://irsa.ipac.caltech.edu/data/COSMOS/images/subaru/SUBARU_INFO.txt names the folders;
    #: the name of a tile follows that of the B band, original_psf/B/subaru_B_077_sci_20.fits.
    subaru: str = (
        "https://irsa.ipac.caltech.edu/data/COSMOS/images/subaru/original_psf/rp/"
        "subaru_rp_{tile:03d}_sci_20.fits"
    )
    #: The archive's TAP service (IVOA Table Access Protocol).
    tap: str = "https://irsa.ipac.caltech.edu/TAP"
    #: COSMOS2015 there, and its columns.
    table: str = "cosmos2015"
    id: str = "id"
    ra: str = "ra"
    dec: str = "dec"
    redshift: str = "photoz"
    log_stellar_mass: str = "mass_med"
    r_mag: str = "r_mag_auto"
    #: 0 a galaxy, 1 a star, 2 an X-ray source, −9 no fit.
    type: str = "type"

    @field_validator("acs", "subaru")
    @classmethod
    def _has_tile(cls, value: str) -> str:
        if "{tile" not in value or not _PATTERN.fullmatch(value):
            raise ValueError("write the tile's number into it as {tile:03d}")
        return value
