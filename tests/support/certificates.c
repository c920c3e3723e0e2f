#include "support/certificates.h"

#include <stdio.h>

#include "support/process.h"
#include "support/wait.h"

static void openssl(const char *const *argv)
{
	struct run_result result;

	run_capture(argv, NULL, NULL, BOUND_MS, &result);
	if (result.status != 0)
		fail_msg("openssl: %s", result.err);
	run_result_free(&result);
}

static void make_authority(const struct certificates *c)
{
	const char *const argv[] = {
	    "openssl", "req",	  "-x509",    "-nodes",
	    "-newkey", "ec",	  "-pkeyopt", "ec_paramgen_curve:P-256",
	    "-days",   "2",	  "-subj",    "/CN=latchkey test authority",
	    "-keyout", c->ca_key, "-out",     c->ca,
	    NULL,
	};

	openssl(argv);
}

static void make_signed(const struct certificates *c, const char *cert, const char *key, const char *subject)
{
	const char *const argv[] = {
	    "openssl",	"req",
	    "-x509",	"-nodes",
	    "-CA",	c->ca,
	    "-CAkey",	c->ca_key,
	    "-newkey",	"ec",
	    "-pkeyopt", "ec_paramgen_curve:P-256",
	    "-days",	"2",
	    "-subj",	subject,
	    "-addext",	"subjectAltName=DNS:" CERTIFICATE_NAME ",DNS:" CERTIFICATE_OTHER_NAME ",IP:127.0.0.1",
	    "-addext",	"basicConstraints=critical,CA:FALSE",
	    "-keyout",	key,
	    "-out",	cert,
	    NULL,
	};

	openssl(argv);
}

void certificates_sign(const struct certificates *c, const char *cert, const char *key)
{
	make_signed(c, cert, key, "/CN=" CERTIFICATE_NAME);
}

/* By a request, for only that way openssl takes a life that is over. */
void certificates_sign_expired(const struct certificates *c, const char *cert, const char *key)
{
	char request[TMPDIR_FILE_BYTES + 4];
	const char *const ask[] = {
	    "openssl",	"req",
	    "-new",	"-nodes",
	    "-newkey",	"ec",
	    "-pkeyopt", "ec_paramgen_curve:P-256",
	    "-subj",	"/CN=" CERTIFICATE_NAME,
	    "-addext",	"subjectAltName=DNS:" CERTIFICATE_NAME,
	    "-keyout",	key,
	    "-out",	request,
	    NULL,
	};
	const char *const sign[] = {
	    "openssl",		"x509", "-req", "-in", request, "-CA", c->ca, "-CAkey", c->ca_key, "-days", "-1",
	    "-copy_extensions", "copy", "-out", cert,  NULL,
	};

	(void)snprintf(request, sizeof(request), "%s.csr", cert);
	openssl(ask);
	openssl(sign);
}

void certificates_make(struct certificates *c, const struct tmpdir *dir)
{
	tmpdir_file(dir, "ca.pem", c->ca);
	tmpdir_file(dir, "ca.key", c->ca_key);
	tmpdir_file(dir, "server.pem", c->server);
	tmpdir_file(dir, "server.key", c->server_key);
	tmpdir_file(dir, "client.pem", c->client);
	tmpdir_file(dir, "client.key", c->client_key);
	make_authority(c);
	make_signed(c, c->server, c->server_key, "/CN=" CERTIFICATE_NAME);
	make_signed(c, c->client, c->client_key, "/CN=caller");
}
