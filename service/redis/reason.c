/* A peer that expects TLS, or none, cannot say so: it closes, stays silent, or answers what is garbage here. What that
 * looks like depends on its version and its TLS library, so each row only says what may be. */

#include "redis/reason.h"

#include <stddef.h>
#include <string.h>

#define CERTIFICATES                                                                                                   \
	"check redis.tls_ca (it must have signed the server's certificate), redis.tls_server_name (a name in that "    \
	"certificate) and redis.tls_cert (the server may demand one); if the port speaks no TLS, redis.url must "      \
	"begin "                                                                                                       \
	"with redis, not rediss"
#define MAYBE_PLAIN                                                                                                    \
	"the server may demand a client certificate (redis.tls_cert, redis.tls_key), or its port speaks no TLS: then " \
	"redis.url must begin with redis, not rediss"
#define MAYBE_TLS                                                                                                      \
	"the port may speak TLS: then redis.url must begin with rediss, and redis.tls_ca name the CA's certificate"

static const struct {
	enum wire_error error;
	bool is_tls;
	struct reason reason;
} greetings[] = {
    {WIRE_TLS, true, {"the TLS handshake failed", CERTIFICATES}},
    {WIRE_PEER_CLOSED, true, {"closed by the peer in the TLS handshake", MAYBE_PLAIN}},
    {WIRE_TIMED_OUT, true, {"timed out in the TLS handshake", MAYBE_PLAIN}},
    {WIRE_PEER_CLOSED, false, {"closed by the peer before it answered", MAYBE_TLS}},
    {WIRE_PROTOCOL, false, {"its answer is not Redis's protocol", MAYBE_TLS}},
};

static const struct {
	const char *words;
	const char *remedy;
} refusals[] = {
    {"NOAUTH", "Redis demands a password: set redis.user and redis.password_file"},
    {"WRONGPASS", "check redis.user and redis.password_file"},
    {"without any password configured", "Redis has no password: remove redis.password_file, or the URL's"},
    {"NOPERM", "check the rights of redis.user: docs/operations.md lists what it needs"},
    {"DB index", "redis.url names a database that Redis does not have"},
};

struct reason reason_of_end(enum wire_error error, bool is_tls, enum reason_stage stage)
{
	/* Over TLS, connected is before the handshake. */
	for (size_t i = 0; i < sizeof(greetings) / sizeof(greetings[0]) && stage == REASON_GREETING; i++) {
		if (greetings[i].error == error && greetings[i].is_tls == is_tls)
			return greetings[i].reason;
	}
	if (error == WIRE_TLS)
		return (struct reason){"TLS failed", CERTIFICATES};
	if (error == WIRE_PROTOCOL)
		return (struct reason){"the peer does not speak Redis's protocol, or goes beyond its limits", NULL};
	return (struct reason){wire_error_text(error), NULL};
}

const char *reason_remedy(const char *refusal)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		if (strstr(refusal, refusals[i].words) != NULL)
			return refusals[i].remedy;
	}
	return NULL;
}
