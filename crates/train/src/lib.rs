//! How a network learns: the fit loop, metrics, early stopping, the run folder.
