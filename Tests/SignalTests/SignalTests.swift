// Signal tests
