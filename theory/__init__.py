"""The paper's quantities and claims as formulas: symbols, enclosures and verdicts, and no tensor."""
