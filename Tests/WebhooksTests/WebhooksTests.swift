// Webhooks tests
