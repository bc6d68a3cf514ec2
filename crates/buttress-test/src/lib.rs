//! For tests of tower layers: the Service laws, injected faults, cancellation at every await. Not written yet.
