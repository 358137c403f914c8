"""Prints the units that are most active, as the animal runs: start a session, then run this beside it."""

import numpy as np

from rig.client import attach

with attach() as bus:
    description = bus.join()[0].content
    units = [
        f"{layer.name}/{unit}" for layer in description.layers for unit in range(layer.n_units)
    ]
    for message in bus.messages():
        if message.topic == "tick" and message.tick % 25 == 0:
            activity = message.arrays["h_applied"]
            top = np.argsort(-np.abs(activity))[:6]
            print(
                f"tick {message.tick}: " + "  ".join(f"{units[i]} {activity[i]:+.2f}" for i in top)
            )
