#ifndef LK_WIRE_ERROR_H
#define LK_WIRE_ERROR_H

/* Why an operation failed or a link ended. name, sentence for people. */
#define WIRE_ERROR_MAP(X)                                                                                              \
	X(OK, "no error")                                                                                              \
	X(CLOSED, "closed by this side")                                                                               \
	X(PEER_CLOSED, "closed by the peer")                                                                           \
	X(TIMED_OUT, "timed out")                                                                                      \
	X(IDLE, "idle for too long")                                                                                   \
	X(STALLED, "the peer stopped in the middle of a message, or does not read its replies")                        \
	X(REFUSED, "connection refused")                                                                               \
	X(UNREACHABLE, "host or network unreachable, or no such name or folder")                                       \
	X(IN_USE, "address in use")                                                                                    \
	X(BAD_URL, "not a URL of the form tcp://host:port, ipc:///path or tls+tcp://host:port")                        \
	X(TLS, "TLS failed: a certificate that is expired, of an unknown authority, missing or for another name, or "  \
	       "a peer without TLS")                                                                                   \
	X(PROTOCOL, "the peer does not speak SP request/reply")                                                        \
	X(TOO_LARGE, "a message larger than the limit")                                                                \
	X(PERMISSION, "permission denied")                                                                             \
	X(NO_MEMORY, "out of memory")                                                                                  \
	X(FAILED, "input/output error")

enum wire_error {
#define X(name, text) WIRE_##name,
	WIRE_ERROR_MAP(X)
#undef X
	    WIRE_ERRORS
};

/* "PEER_CLOSED", and the sentence. */
const char *wire_error_name(enum wire_error err);
const char *wire_error_text(enum wire_error err);

#endif
