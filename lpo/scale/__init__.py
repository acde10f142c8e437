"""How many passes of which model answer a query: accuracy, cost, time. docs/scale.md."""
