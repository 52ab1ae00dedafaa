// WhatsAppProtobuf tests
