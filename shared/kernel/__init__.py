"""The ground floor: money, ids, instants, zones, business days and the outcome of a decision. Standard library only."""
