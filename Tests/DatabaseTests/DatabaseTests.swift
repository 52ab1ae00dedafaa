// Database tests
