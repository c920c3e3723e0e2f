#include "support/certificates.h"

#include <stdio.h>
#include <string.h>

#include "support/file.h"
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

/* A request and `openssl ca`: the one way to a life that is over that all versions take. */
static void write_ca_config(const char *folder, const char *database, const char *config)
{
	char text[4 * TMPDIR_FILE_BYTES + 256];

	(void)snprintf(text, sizeof(text),
		       "[ca]\ndefault_ca = all\n"
		       "[all]\ndatabase = %s\nnew_certs_dir = %.*s\nrand_serial = yes\ndefault_md = sha256\n"
		       "policy = any\ncopy_extensions = copy\nunique_subject = no\n"
		       "[any]\ncommonName = supplied\n",
		       database, (int)(strrchr(folder, '/') - folder), folder);
	file_write(config, text);
	file_write(database, "");
}

void certificates_sign_expired(const struct certificates *c, const char *cert, const char *key)
{
	char request[TMPDIR_FILE_BYTES + 4], config[TMPDIR_FILE_BYTES + 4], database[TMPDIR_FILE_BYTES + 4];
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
	    "openssl",	  "ca",
	    "-batch",	  "-notext",
	    "-config",	  config,
	    "-in",	  request,
	    "-cert",	  c->ca,
	    "-keyfile",	  c->ca_key,
	    "-out",	  cert,
	    "-startdate", "20200101000000Z",
	    "-enddate",	  "20200102000000Z",
	    NULL,
	};

	(void)snprintf(request, sizeof(request), "%s.csr", cert);
	(void)snprintf(config, sizeof(config), "%s.cnf", cert);
	(void)snprintf(database, sizeof(database), "%s.db", cert);
	write_ca_config(cert, database, config);
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
