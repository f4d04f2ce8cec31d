"""Which image trains, validates and tests: protocols, stratified assignment, manifests."""
