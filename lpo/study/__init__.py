"""The study of robust training: architectures x training methods x settings x shifts."""
