// Tenancy tests
