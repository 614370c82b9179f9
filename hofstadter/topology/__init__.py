"""Berry flux, Chern numbers and gap labels."""
