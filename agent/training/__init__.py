"""Training: from nothing to a subject that runs.

    gait       evolution strategy over a pattern generator             agent.training.gait
    steering   evolution strategy over a steering law                  agent.training.steering
    vision     the ResNet learns to see the corridor                   agent.training.vision
    imitation  the network learns from the expert's labels (DAgger)    agent.training.imitation
    evaluate   the score table                                         agent.training.evaluation

Every stage resumes from what it left in the work folder, `runs/<name>/`.
"""

from agent.training.stages import STAGES, train

__all__ = ["STAGES", "train"]
