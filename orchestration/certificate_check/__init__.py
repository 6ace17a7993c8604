"""A second opinion on certificates, from two read-outs: it shares no code with the engine."""
