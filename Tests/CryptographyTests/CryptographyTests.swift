// Cryptography tests
