"""Groups, jobs, schedules and sensors."""
