"""Training: from nothing to a subject that solves its tasks; `agent.training.stages.train` runs all of it.

    gait, steering, spinning      the experts' skills, by evolution strategies     agent.training.<name>
    backing, righting, climbing
    tapping, stepping, leaping
    vision                        the ResNet learns to see what the experts see    agent.training.vision
    imitation                     the network learns the experts' labels (DAgger)  agent.training.imitation
    reinforcement                 V-trace and V-MPO, kickstart fading             agent.training.reinforcement
    evaluate                      scores and card                                  agent.training.evaluation

Every stage resumes from what it left in the work folder, `runs/<name>/`.
"""
