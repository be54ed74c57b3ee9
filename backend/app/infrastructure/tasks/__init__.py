"""What the backend does by itself, at intervals, in one worker of the deployment."""

from app.infrastructure.tasks.runner import BackgroundTasks

__all__ = ["BackgroundTasks"]
