"""Training: from nothing to a subject that solves its tasks; `training.pipeline.train` runs all of it.

    gait, steering, spinning,     the experts' skills, by evolution strategies  training.skills
    walking_backward, righting, climbing,
    tapping, stepping, running_leap, gap_running
    vision                        the vision encoder is pretrained              training.learn.vision
    distillation                  the network learns from a trained subject     training.learn.distillation
    dagger                        the network learns the experts' actions       training.learn.dagger
    reinforcement                 V-trace and V-MPO with kickstarting           training.learn.reinforcement
    evaluate                      scores and card                               evaluation

Every stage resumes from what it left in the work folder, `runs/<name>/`.
"""
