"""The methods, and what is asked of them: a job, its presets, the front door."""
