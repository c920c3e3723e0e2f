#include "interop/transports.h"

#include <stdio.h>

enum transport transport_states[TRANSPORTS] = {OVER_TCP, OVER_IPC, OVER_TLS};

void transports_open(struct transports *t)
{
	*t = (struct transports){0};
	tmpdir_make(&t->dir);
	certificates_make(&t->certificates, &t->dir);
	t->server = certificates_for_wire(&t->certificates, true, false);
	t->client = certificates_for_wire(&t->certificates, false, false);
}

void transports_close(struct transports *t)
{
	wire_tls_release(&t->server);
	wire_tls_release(&t->client);
	tmpdir_remove(&t->dir);
}

void transports_url(struct transports *t, enum transport over, char out[static URL_BYTES])
{
	char path[TMPDIR_FILE_BYTES];
	char name[16];

	snprintf(name, sizeof(name), "%u.sock", t->sockets++);
	tmpdir_file(&t->dir, name, path);
	if (over == OVER_IPC)
		snprintf(out, URL_BYTES, "ipc://%s", path);
	else
		snprintf(out, URL_BYTES, "%s://127.0.0.1:0", over == OVER_TLS ? "tls+tcp" : "tcp");
}

const struct certificates *transports_certificates(const struct transports *t, enum transport over)
{
	return over == OVER_TLS ? &t->certificates : NULL;
}

wire_tls *transports_server(const struct transports *t, enum transport over)
{
	return over == OVER_TLS ? t->server : NULL;
}

wire_tls *transports_client(const struct transports *t, enum transport over)
{
	return over == OVER_TLS ? t->client : NULL;
}
