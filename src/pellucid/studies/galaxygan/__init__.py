"""GalaxyGAN: Schawinski et al. 2017, MNRAS 467, L110, doi:10.1093/mnrasl/slx008, end to end."""
