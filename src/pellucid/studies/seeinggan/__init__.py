"""SeeingGAN's experiment: Subaru images made HST-like (Gan, Bekki & Hashemizadeh 2021)."""
