// AdminAuth tests
