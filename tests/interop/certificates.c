#include "interop/certificates.h"

#include <nng/nng.h>
#include <nng/supplemental/tls/tls.h>
#include <stdlib.h>

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
	const char *const argv[] = {"openssl",
				    "req",
				    "-x509",
				    "-newkey",
				    "ec",
				    "-pkeyopt",
				    "ec_paramgen_curve:P-256",
				    "-nodes",
				    "-days",
				    "2",
				    "-subj",
				    "/CN=latchkey test authority",
				    "-keyout",
				    c->ca_key,
				    "-out",
				    c->ca,
				    NULL};

	openssl(argv);
}

static void make_signed(const struct certificates *c, const char *cert, const char *key, const char *subject)
{
	const char *const argv[] = {"openssl",
				    "req",
				    "-x509",
				    "-CA",
				    c->ca,
				    "-CAkey",
				    c->ca_key,
				    "-newkey",
				    "ec",
				    "-pkeyopt",
				    "ec_paramgen_curve:P-256",
				    "-nodes",
				    "-days",
				    "2",
				    "-subj",
				    subject,
				    "-addext",
				    "subjectAltName=DNS:" CERTIFICATE_NAME,
				    "-addext",
				    "basicConstraints=critical,CA:FALSE",
				    "-keyout",
				    key,
				    "-out",
				    cert,
				    NULL};

	openssl(argv);
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

wire_tls *certificates_for_wire(const struct certificates *c, bool is_server, bool is_mutual)
{
	struct wire_tls_options options = {.is_server = is_server};
	wire_tls *tls = NULL;
	enum wire_error err;

	if (!is_server || is_mutual)
		options.ca_file = c->ca;
	if (is_server || is_mutual) {
		options.cert_file = is_server ? c->server : c->client;
		options.key_file = is_server ? c->server_key : c->client_key;
	}
	if (!is_server)
		options.server_name = CERTIFICATE_NAME;
	err = wire_tls_new(&options, &tls);
	if (err != WIRE_OK)
		fail_msg("wire_tls_new: %s", wire_error_name(err));
	return tls;
}

static void set_own(nng_tls_config *config, const char *cert_file, const char *key_file)
{
	char *cert = file_read(cert_file, NULL);
	char *key = file_read(key_file, NULL);

	assert_int_equal(nng_tls_config_own_cert(config, cert, key, NULL), 0);
	free(cert);
	free(key);
}

struct nng_tls_config *certificates_for_nng(const struct certificates *c, bool is_server, bool is_mutual)
{
	nng_tls_config *config = NULL;

	assert_int_equal(nng_tls_config_alloc(&config, is_server ? NNG_TLS_MODE_SERVER : NNG_TLS_MODE_CLIENT), 0);
	if (!is_server || is_mutual) {
		assert_int_equal(nng_tls_config_ca_file(config, c->ca), 0);
		assert_int_equal(nng_tls_config_auth_mode(config, NNG_TLS_AUTH_MODE_REQUIRED), 0);
	}
	if (is_server)
		set_own(config, c->server, c->server_key);
	else if (is_mutual)
		set_own(config, c->client, c->client_key);
	if (!is_server)
		assert_int_equal(nng_tls_config_server_name(config, CERTIFICATE_NAME), 0);
	return config;
}
