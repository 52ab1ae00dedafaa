// Interop tests
