"""The floors below the services: what is true, how it is agreed with others, and how it runs."""
