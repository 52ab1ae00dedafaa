#ifndef WHATSAPP_PROTOBUF_H
#define WHATSAPP_PROTOBUF_H

#include <stddef.h>
#include <protobuf-c/protobuf-c.h>

/* Every message and enum of the schema, sorted by full name (byte order); NULL past the end. The descriptors are
 * constant static data: the Swift face reads and writes messages through them and never sees single structs. */
const ProtobufCMessageDescriptor *_Nullable whatsapp_protobuf_message(size_t index);
const ProtobufCEnumDescriptor *_Nullable whatsapp_protobuf_enum(size_t index);

#endif
