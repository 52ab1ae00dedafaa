// Messaging tests
