"""What is true: loans, delinquency, holds, policy."""
