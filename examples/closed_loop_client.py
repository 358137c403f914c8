"""Closes the loop from outside: holds a unit at 0 for 100 ms whenever its activity crosses a threshold.

Start a session (`rodent-rig run protocols/observe.yaml --pace realtime`), then run this beside it.
"""

import numpy as np

from rig.client import attach

LAYER, TIMES, LEARN_TICKS = "policy_0", 5, 100

with attach() as bus:
    layers = bus.join()[0].content.layers
    names = [layer.name for layer in layers for _ in range(layer.n_units)]
    first, n_units = names.index(LAYER), names.count(LAYER)
    seen, latencies, crossed = [], [], -1
    for message in bus.messages():
        if message.topic == "tick":
            seen.append(message.arrays["h_natural"][first : first + n_units])
            if len(seen) < LEARN_TICKS:
                continue
            if len(seen) == LEARN_TICKS:  # the unit that crosses its own mean most often
                above = np.array(seen) > np.mean(seen, axis=0)
                unit = int(np.argmax(np.sum(above[1:] & ~above[:-1], axis=0)))
                threshold = float(np.mean(seen, axis=0)[unit])
            if seen[-2][unit] < threshold <= seen[-1][unit] and message.tick > crossed + 25:
                crossed = message.tick
                bus.command(
                    "stimulate", name="hold", layer=LAYER, units=[unit], value=0.0, for_ms=100
                )
        elif message.topic == "answer":
            for event in message.content.events:
                if event.name == "outside" and event.phase == "onset":
                    latencies.append(event.tick - crossed)
                    print(
                        f"{LAYER}/{unit} crossed {threshold:+.2f} at tick {crossed} "
                        f"and is held from tick {event.tick} on: {latencies[-1]} ticks later"
                    )
        if len(latencies) == TIMES:
            break
    print(f"The loop takes {np.median(latencies):g} ticks of 20 ms (2 is the least).")
