#ifndef LK_RPC_MESSAGES_H
#define LK_RPC_MESSAGES_H

/* Protobuf messages from and to the structs of session/session.h. Bytes are borrowed both ways: everything lives in the
 * exchange's arena. */

#include "latchkey/v1/sessions.pb-c.h"
#include "rpc/frame.h"
#include "session/session.h"

/* Sets an optional scalar or bytes field. */
#define MESSAGE_SET(m, field, value)                                                                                   \
	do {                                                                                                           \
		(m)->has_##field = true;                                                                               \
		(m)->field = (value);                                                                                  \
	} while (0)

/* An optional number; 0 when absent. */
#define MESSAGE_NUMBER(m, field) ((m)->has_##field ? (m)->field : 0)

/* An optional bytes field as a span; empty when absent. */
#define MESSAGE_SPAN(m, field) ((m)->has_##field ? span_of((m)->field.data, (m)->field.len) : SPAN_EMPTY)

ProtobufCBinaryData message_bytes(span s);

/* ---- Requests ---- */

/* False when memory is out. */
bool message_read_attributes(arena *a, Latchkey__V1__Attribute **from, size_t count,
			     const struct session_attribute **ret) MUST_CHECK;
bool message_read_spans(arena *a, const ProtobufCBinaryData *from, size_t count, const span **ret) MUST_CHECK;
/* from may be NULL. */
void message_read_device(const Latchkey__V1__Device *from, struct session_device *ret);
/* from may be NULL. INVALID_ARGUMENT: too many amr. */
enum status_code message_read_authentication(const Latchkey__V1__Authentication *from,
					     struct session_authentication *ret, struct status *st) MUST_CHECK;

/* ---- Responses: NULL or false when memory is out ---- */

Latchkey__V1__SessionInfo *message_info(arena *a, const struct session_info *from);
Latchkey__V1__GetSessionResponse *message_get_response(arena *a, const struct session_get_result *from);
bool message_handles(arena *a, char (*handles)[HANDLE_CHARS], size_t count, ProtobufCBinaryData **ret) MUST_CHECK;

#endif
