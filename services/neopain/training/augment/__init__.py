"""What happens to pictures, sounds and vitals on a ward and changes nothing in the pain: done at random in training."""
