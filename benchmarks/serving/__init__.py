"""What serving costs; traffic goes to this machine only, is bounded, and stops by itself."""
