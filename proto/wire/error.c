#include "wire/error.h"

#include <assert.h>
#include <nng/nng.h>
#include <stddef.h>

#include "wire/private.h"

static const struct {
	const char *name;
	const char *text;
} errors[] = {
#define X(name, text) {#name, text},
    WIRE_ERROR_MAP(X)
#undef X
};

const char *wire_error_name(enum wire_error err)
{
	assert((size_t)err < WIRE_ERRORS);
	return errors[err].name;
}

const char *wire_error_text(enum wire_error err)
{
	assert((size_t)err < WIRE_ERRORS);
	return errors[err].text;
}

static const struct {
	int nng;
	enum wire_error err;
} of_nng[] = {
    {0, WIRE_OK},
    {NNG_ECONNSHUT, WIRE_PEER_CLOSED},
    {NNG_ECONNRESET, WIRE_PEER_CLOSED},
    {NNG_ECONNABORTED, WIRE_PEER_CLOSED},
    /* A closed stream of our own is never asked, so this is EPIPE or TLS's end of file. */
    {NNG_ECLOSED, WIRE_PEER_CLOSED},
    {NNG_ETIMEDOUT, WIRE_TIMED_OUT},
    {NNG_ECONNREFUSED, WIRE_REFUSED},
    {NNG_EUNREACHABLE, WIRE_UNREACHABLE},
    /* URLs are checked before nng sees them: what is left is a name that does not resolve, or no such local address. */
    {NNG_EADDRINVAL, WIRE_UNREACHABLE},
    {NNG_ENOENT, WIRE_UNREACHABLE},
    {NNG_EADDRINUSE, WIRE_IN_USE},
    {NNG_EEXIST, WIRE_IN_USE},
    {NNG_ECRYPTO, WIRE_TLS},
    {NNG_EPEERAUTH, WIRE_TLS},
    {NNG_EPERM, WIRE_PERMISSION},
    {NNG_ENOMEM, WIRE_NO_MEMORY},
    {NNG_ENOFILES, WIRE_NO_MEMORY},
};

enum wire_error wire_error_of_nng(int rv)
{
	for (size_t i = 0; i < sizeof(of_nng) / sizeof(of_nng[0]); i++) {
		if (of_nng[i].nng == rv)
			return of_nng[i].err;
	}
	return WIRE_FAILED;
}

enum wire_error link_stream_error(int rv)
{
	enum wire_error err = wire_error_of_nng(rv);

	/* nng says ECONNREFUSED for TLS's close_notify. */
	return err == WIRE_OK || err == WIRE_REFUSED ? WIRE_PEER_CLOSED : err;
}
