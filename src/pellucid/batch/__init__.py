"""Many jobs: on cores, on a cluster, as a job array; many images into a folder."""
