"""What Gan, Bekki & Hashemizadeh (2021, arXiv:2103.09711) report, on 100 pairs of their own."""

from __future__ import annotations

#: Table 1: mean, minimum, maximum of Subaru against HST, and of SeeingGAN against HST.
TABLE_1 = {
    "psnr": {"subaru": (28.412, 28.139, 28.738), "seeinggan": (27.913, 27.820, 28.237)},
    "ssim": {"subaru": (0.084, 0.017, 0.261), "seeinggan": (0.062, 0.023, 0.132)},
    "cw_ssim": {"subaru": (0.560, 0.302, 0.711), "seeinggan": (0.622, 0.307, 0.760)},
}
#: Table 2: percentage gain of CW-SSIM: mean, standard deviation, minimum, maximum.
TABLE_2 = (11.15, 3.53, 1.69, 18.04)
