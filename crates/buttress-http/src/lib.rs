//! buttress-http
