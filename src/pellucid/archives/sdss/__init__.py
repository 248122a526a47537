"""The sample of GalaxyGAN from the SDSS archive: query, frames, cutouts."""
