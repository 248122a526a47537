"""The data of SeeingGAN: tiles of the COSMOS field through Hubble and Subaru, and a catalogue."""
