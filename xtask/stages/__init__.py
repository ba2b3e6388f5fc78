"""boot-stages: the runner (pure state machine), one boot, its report."""
