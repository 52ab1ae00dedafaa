// Sandbox tests
