"""The parts of the phantom generator: anatomy, lesions, scanner, planted faults, truth."""
