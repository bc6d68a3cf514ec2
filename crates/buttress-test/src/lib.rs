//! buttress-test
