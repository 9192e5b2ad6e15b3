//! Vectors by hand.
