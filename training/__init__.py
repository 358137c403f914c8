"""Training: from nothing to a subject that solves its tasks; `training.pipeline.train` runs all of it.

    gait, steering, spinning      the experts' skills, by evolution strategies     training.<name>
    backing, righting, climbing
    tapping, stepping, leaping
    vision                        the ResNet learns to see what the experts see    training.learn.vision
    imitation                     the network learns the experts' labels (DAgger)  training.learn.dagger
    reinforcement                 V-trace and V-MPO, kickstart fading             training.learn.reinforcement
    evaluate                      scores and card                                  evaluation

Every stage resumes from what it left in the work folder, `runs/<name>/`.
"""
