"""Model cards become loaded models: checkpoints, downloads, memory."""
