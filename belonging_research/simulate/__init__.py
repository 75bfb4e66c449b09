"""Room 4: a made-up country with a known effect, as public files in the Department's layouts, the truth beside them."""

from belonging_research.simulate.country import SimulatedCountry, draw_world
from belonging_research.simulate.folder import simulated_data, write_public_files
from belonging_research.simulate.truth import Truth, read_truth
from belonging_research.simulate.worlds import WORLDS, World

__all__ = [
    "WORLDS",
    "SimulatedCountry",
    "Truth",
    "World",
    "draw_world",
    "read_truth",
    "simulated_data",
    "write_public_files",
]
